import type {
  IceInit,
  NegotiatedSession,
  OpenNegotiation,
  SectionUse,
  SessionNegotiator,
  UpdateNegotiation,
} from "../src/index.ts";
import { err, ok, type Result } from "@parley/foundation";
import {
  Codec,
  MediaKind,
  parleyError,
  type CodecParameters,
  type ParleyError,
  type SessionGrant,
} from "@parley/protocol";

/** An offer as the fake negotiator reads it, in JSON instead of SDP. */
export interface FakeOffer {
  readonly ufrag?: string;
  readonly sections: readonly {
    readonly mid: string;
    readonly kind: "audio" | "video";
    readonly codecs?: readonly Codec[];
  }[];
}

/** The text of an offer: `audio` and `video` sections by their mids. */
export function fakeOffer(offer: FakeOffer): string {
  return JSON.stringify(offer);
}

/** Negotiates without SDP, for tests of rooms: payload types are codec numbers plus 96, every codec goes with itself only. */
export class FakeNegotiator implements SessionNegotiator {
  node: { nodeId: string; bootId: bigint } | undefined = { nodeId: "node", bootId: 1n };
  #minted = 0;

  open(request: OpenNegotiation): Result<NegotiatedSession, ParleyError> {
    return this.#negotiate(request.offerSdp, request.sections, new Map(), this.#ice("remote"));
  }

  update(request: UpdateNegotiation): Result<NegotiatedSession, ParleyError> {
    const ssrcs = new Map(request.grant.slots.map(({ mid, ssrc }) => [mid, ssrc]));
    return this.#negotiate(request.offerSdp, request.sections, ssrcs, request.grant.ice ?? this.#ice("remote"));
  }

  restartIce(grant: SessionGrant, remote: { readonly ufrag: string; readonly password: string }): IceInit {
    return { ...this.#ice(remote.ufrag), previousLocalUfrag: grant.ice?.localUfrag ?? "" };
  }

  canForward(from: readonly CodecParameters[], to: readonly CodecParameters[]): boolean {
    return from.some(({ codec }) => to.some((other) => other.codec === codec));
  }

  #ice(remoteUfrag: string) {
    return {
      localUfrag: `local-${++this.#minted}`,
      localPassword: "password",
      remoteUfrag,
      remotePassword: "password",
    };
  }

  #negotiate(
    offerText: string,
    uses: ReadonlyMap<string, SectionUse>,
    ssrcs: ReadonlyMap<string, number>,
    ice: IceInit,
  ): Result<NegotiatedSession, ParleyError> {
    if (this.node === undefined) return err(parleyError("no-media-node"));
    let offer: FakeOffer;
    try {
      offer = JSON.parse(offerText) as FakeOffer;
    } catch {
      return err(parleyError("sdp-malformed"));
    }
    if (!isWhole(offer)) return err(parleyError("sdp-malformed"));
    const codecs = new Set(offer.sections.flatMap((section) => codecsOf(section)));
    const used = offer.sections.flatMap((section) => {
      const use = uses.get(section.mid);
      return use === undefined ? [] : [{ ...section, use, payloadTypes: codecsOf(section).map((codec) => codec + 96) }];
    });
    return ok({
      answerSdp: JSON.stringify(offer),
      nodeId: this.node.nodeId,
      nodeBootId: this.node.bootId,
      memory: new TextEncoder().encode(offerText),
      sections: offer.sections.map(({ mid, kind }) => ({ mid, kind: kindOf(kind), rejected: !uses.has(mid) })),
      parts: {
        ice,
        dtls: {},
        extensions: [],
        codecs: [...codecs].map((codec) => ({ payloadType: codec + 96, codec, clockRateHz: 90_000 })),
        receives: used.flatMap(({ mid, kind, use, payloadTypes }) =>
          use.type === "publish" ? [{ mid, kind: kindOf(kind), streamId: use.streamId, payloadTypes }] : [],
        ),
        slots: used.flatMap(({ mid, kind, use, payloadTypes }) =>
          use.type === "receive"
            ? [{ mid, kind: kindOf(kind), ssrc: ssrcs.get(mid) ?? ++this.#minted, payloadTypes }]
            : [],
        ),
      },
    });
  }
}

/** As the real one: kinds that are known, mids that are told apart. */
function isWhole(offer: Partial<FakeOffer> | null): boolean {
  if (!Array.isArray(offer?.sections)) return false;
  const sections = offer.sections as readonly (FakeOffer["sections"][number] | null)[];
  const mids = new Set(sections.map((section) => section?.mid));
  return (
    mids.size === sections.length &&
    sections.every((section) => typeof section?.mid === "string" && ["audio", "video"].includes(section.kind))
  );
}

function codecsOf({ kind, codecs }: FakeOffer["sections"][number]): readonly Codec[] {
  return codecs ?? (kind === "audio" ? [Codec.OPUS] : [Codec.VP8]);
}

function kindOf(kind: "audio" | "video"): MediaKind {
  return kind === "audio" ? MediaKind.AUDIO : MediaKind.VIDEO;
}
