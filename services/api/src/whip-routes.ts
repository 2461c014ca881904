import { err, ok, type Result } from "@parley/foundation";
import { parleyError, Source, type ParleyError } from "@parley/protocol";
import { Type } from "typebox";
import type { FastifyInstance } from "fastify";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { ApiContext } from "./context.ts";
import { closeMethods } from "./methods.ts";
import type { Offer } from "./offer.ts";
import { postSession, sdpType, sessionName, type OpenSessionInit } from "./post-session.ts";

const params = Type.Object({ room: Type.String() });
const query = Type.Object({
  /** The stream's name in the room. */
  stream: Type.String({ default: "main" }),
  /** What the pictures are: sources may be granted one by one. */
  source: Type.Union([Type.Literal("camera"), Type.Literal("screen"), Type.Literal("custom")], { default: "camera" }),
});

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
  app
    .withTypeProvider<TypeBoxTypeProvider>()
    .post(url, { schema: { params, querystring: query } }, (request, reply) => {
      const { room } = request.params;
      const { stream, source } = request.query;
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
