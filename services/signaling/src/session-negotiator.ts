import {
  matchPayloadTypes,
  mintIceCredentials,
  negotiate,
  restartedIce,
  type EarlierNegotiation,
  type GrantParts,
  type IceGrant,
  type NegotiationError,
  type NegotiationErrorCode,
  type OfferedSection,
  type SectionDecision,
  type SdpLimits,
} from "@parley/domain-media-control";
import type {
  GrantPartsInit,
  IceInit,
  NegotiatedSession,
  OpenNegotiation,
  SectionUse,
  SessionNegotiator,
  UpdateNegotiation,
} from "@parley/domain-rooms";
import { err, ok, type Random, type Result } from "@parley/foundation";
import {
  MediaKind,
  parleyError,
  type CodecParameters,
  type ErrorName,
  type NodeAnnouncement,
  type ParleyError,
  type SessionGrant,
} from "@parley/protocol";
import { answerCandidates } from "./answer-candidates.ts";
import { readMemory, writeMemory } from "./negotiation-memory.ts";
import type { NodeTable } from "./node-table.ts";

export interface NegotiatorOptions {
  readonly nodes: NodeTable;
  readonly random: Random;
  /** The site's key, shared with its media nodes (docs/specs/ice-ufrag.md). */
  readonly ufragKey: Uint8Array;
  readonly sdpLimits?: SdpLimits;
}

/** Joins rooms with SDP negotiation and the table of media nodes. */
export class MediaNegotiator implements SessionNegotiator {
  readonly #options: NegotiatorOptions;

  constructor(options: NegotiatorOptions) {
    this.#options = options;
  }

  open(request: OpenNegotiation): Result<NegotiatedSession, ParleyError> {
    const node = this.#options.nodes.pick(request.preferredNodes);
    if (node === undefined) return err(parleyError("no-media-node"));
    const { random } = this.#options;
    // RFC 8866 5.2: a number that is unique; 62 bits of it.
    const sdpSessionId = ((BigInt(random.uint32() >>> 2) << 32n) | BigInt(random.uint32())).toString();
    return this.#negotiate(request, node, { sdpSessionId });
  }

  update(request: UpdateNegotiation): Result<NegotiatedSession, ParleyError> {
    const node = this.#options.nodes.get(request.nodeId);
    if (node === undefined) return err(parleyError("no-media-node"));
    const previous = readMemory(request.memory, partsOf(request.grant));
    if (previous === undefined) return err(parleyError("session-not-found", "It was made by another version."));
    return this.#negotiate(request, node, { sdpSessionId: previous.answer.origin.sessionId, previous });
  }

  restartIce(grant: SessionGrant, remote: { readonly ufrag: string; readonly password: string }): IceInit {
    const { ufragKey, random } = this.#options;
    return restartedIce(partsOf(grant).ice, remote, mintIceCredentials(ufragKey, random));
  }

  canForward(from: readonly CodecParameters[], to: readonly CodecParameters[]): boolean {
    return matchPayloadTypes(from, to).length > 0;
  }

  #negotiate(
    request: {
      readonly offerSdp: string;
      readonly sections: ReadonlyMap<string, SectionUse>;
      readonly localIp: string;
    },
    node: NodeAnnouncement,
    of: { readonly sdpSessionId: string; readonly previous?: EarlierNegotiation },
  ): Result<NegotiatedSession, ParleyError> {
    const { random, ufragKey, sdpLimits } = this.#options;
    const negotiated = negotiate(request.offerSdp, {
      ...of,
      decide: (section) => decide(request.sections, section),
      newIceCredentials: () => mintIceCredentials(ufragKey, random),
      random,
      fingerprint: node.dtlsFingerprint,
      candidates: answerCandidates(node, request.localIp),
      ...(sdpLimits === undefined ? {} : { limits: sdpLimits }),
    });
    if (!negotiated.ok) return err(errorOf(negotiated.error));
    const { answerSdp, grant, sections } = negotiated.value;
    return ok({
      answerSdp,
      nodeId: node.nodeId,
      nodeBootId: node.bootId,
      parts: grant as GrantPartsInit,
      sections: sections.map(({ mid, kind, rejected }) => ({
        mid,
        kind: kind === "audio" ? MediaKind.AUDIO : kind === "video" ? MediaKind.VIDEO : MediaKind.UNSPECIFIED,
        rejected,
      })),
      memory: writeMemory(negotiated.value),
    });
  }
}

function decide(sections: ReadonlyMap<string, SectionUse>, section: OfferedSection): SectionDecision {
  const use = sections.get(section.mid);
  if (use === undefined) return { reject: true };
  if (use.type === "publish") return { receive: { streamId: use.streamId } };
  const { msid, trackId, narrowTo } = use;
  return { slot: { msid, trackId, ...(narrowTo === undefined ? {} : { narrowTo: [...narrowTo] }) } };
}

function partsOf(grant: SessionGrant): GrantParts {
  const { dtls, codecs, extensions, receives, slots } = grant;
  const ice: IceGrant = grant.ice ?? emptyIce;
  return {
    ice,
    dtls: dtls ?? { remoteFingerprints: [], localActive: false },
    codecs,
    extensions,
    receives,
    slots,
  };
}

/** Never in a grant that was negotiated; the wire allows it. */
const emptyIce: IceGrant = {
  localUfrag: "",
  localPassword: "",
  remoteUfrag: "",
  remotePassword: "",
  previousLocalUfrag: "",
  previousLocalPassword: "",
  previousRemoteUfrag: "",
};

const errorNames: Readonly<Partial<Record<NegotiationErrorCode, ErrorName>>> = {
  sdp: "sdp-malformed",
  "mid-missing": "sdp-malformed",
  "duplicate-mid": "sdp-malformed",
  "payload-type-conflict": "sdp-malformed",
  "no-common-codec": "no-common-codec",
};

function errorOf(error: NegotiationError): ParleyError {
  if (error.sdp?.code === "too-large") return parleyError("payload-too-large", `${error.message}.`);
  if (error.sdp?.code === "too-many-sections") return parleyError("too-many-media-sections");
  return parleyError(errorNames[error.code] ?? "sdp-unsupported", `${error.message}.`);
}
