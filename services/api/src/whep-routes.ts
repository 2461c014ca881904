import { err, ok, type Result } from "@parley/foundation";
import { parleyError, type ParleyError } from "@parley/protocol";
import type { FastifyInstance } from "fastify";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";
import type { Offer } from "./offer.ts";
import { postSession, sdpType, sessionName, type OpenSessionInit } from "./post-session.ts";

const url = "/v1/whep/:room/:stream";

/** WHEP (draft-ietf-wish-whep): the offer's receiving sections become slots for a stream that is there, or will be. */
export function whepRoutes(app: FastifyInstance, context: ApiContext): void {
  app.post<{ Params: { readonly room: string; readonly stream: string } }>(url, (request, reply) => {
    const { room, stream } = request.params;
    return postSession(context, request, reply, () => ({
      kind: "whep",
      roomId: room,
      streamName: stream,
      action: { type: "subscribe", room },
      openSession: (offer, sdp) => openSession(offer, sdp, stream),
    }));
  });
  closeMethods(app, url, ["POST"], { "accept-post": sdpType });
}

function openSession(offer: Offer, offerSdp: string, streamName: string): Result<OpenSessionInit, ParleyError> {
  const receiving = offer.sections.filter(({ receives }) => receives);
  if (receiving.length === 0) return err(parleyError("sdp-unsupported", "The offer receives nothing."));
  const seen = { audio: 0, video: 0 };
  const sections = receiving.map(({ mid, kind }) => ({
    mid,
    // The first audio goes with the first video, and so on.
    use: { case: "receive" as const, value: { pair: seen[kind]++ } },
  }));
  return ok({
    session: sessionName,
    offerSdp,
    sections,
    // A stream has one picture and one sound: further sections stay free.
    bindings: sections.filter(({ use }) => use.value.pair === 0).map(({ mid }) => ({ mid, streamName })),
  });
}
