import { err, ok, type Result } from "@parley/foundation";
import { parleyError, Source, type ParleyError } from "@parley/protocol";
import type { FastifyInstance } from "fastify";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";
import type { Offer } from "./offer.ts";
import { sendProblem } from "./problem.ts";
import { postSession, sdpType, sessionName, type OpenSessionInit } from "./post-session.ts";

const sources = {
  camera: { video: "camera", audio: "microphone" },
  screen: { video: "screen", audio: "screen_audio" },
  custom: { video: "custom", audio: "custom" },
} as const;

const wireSources = {
  camera: Source.CAMERA,
  microphone: Source.MICROPHONE,
  screen: Source.SCREEN,
  screen_audio: Source.SCREEN_AUDIO,
  custom: Source.CUSTOM,
} as const;

const url = "/v1/whip/:room";

/** WHIP (RFC 9725): the offer's sending sections become one stream of the room. */
export function whipRoutes(app: FastifyInstance, context: ApiContext): void {
  app.post<{ Params: { readonly room: string }; Querystring: RawQuery }>(url, (request, reply) => {
    const { room } = request.params;
    const query = readQuery(request.query);
    if (!query.ok) return sendProblem(reply, query.error);
    const { stream, source } = query.value;
    return postSession(context, request, reply, (offer) => ({
      kind: "whip",
      roomId: room,
      streamName: stream,
      action: { type: "publish", room, sources: sourcesOf(offer, source) },
      openSession: (_offer, sdp) => openSession(offer, sdp, stream, source),
    }));
  });
  closeMethods(app, url, ["POST"], { "accept-post": sdpType });
}

/** A name that is there twice is a list. */
type RawQuery = Readonly<Record<string, string | readonly string[] | undefined>>;

interface WhipQuery {
  /** The stream's name in the room. */
  readonly stream: string;
  /** What the pictures are: sources may be granted one by one. */
  readonly source: keyof typeof sources;
}

/** By hand: a schema for two words would be compiled within the first join. */
function readQuery({ stream = "main", source = "camera" }: RawQuery): Result<WhipQuery, ParleyError> {
  if (typeof stream !== "string") return err(parleyError("bad-request", "There is more than one stream."));
  const known = typeof source === "string" && Object.hasOwn(sources, source);
  if (!known) return err(parleyError("bad-request", `The source is one of ${Object.keys(sources).join(", ")}.`));
  return ok({ stream, source: source as keyof typeof sources });
}

function sourcesOf(offer: Offer, source: keyof typeof sources) {
  return [...new Set(offer.sections.filter(({ sends }) => sends).map(({ kind }) => sources[source][kind]))];
}

function openSession(
  offer: Offer,
  offerSdp: string,
  stream: string,
  source: keyof typeof sources,
): Result<OpenSessionInit, ParleyError> {
  const sending = offer.sections.filter(({ sends }) => sends);
  // RFC 9725 4.2: a WHIP client only sends.
  if (sending.length === 0) return err(parleyError("sdp-unsupported", "The offer sends nothing."));
  return ok({
    session: sessionName,
    offerSdp,
    sections: sending.map(({ mid, kind }) => ({
      mid,
      use: {
        case: "publish" as const,
        value: { stream, source: wireSources[sources[source][kind]], exclusiveName: true },
      },
    })),
  });
}
