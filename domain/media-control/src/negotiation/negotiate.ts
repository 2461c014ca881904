import { type Result, err, ok } from "@parley/foundation";
import { DEFAULT_SDP_LIMITS, parseSdp } from "../sdp/parse.ts";
import { writeSdp } from "../sdp/write.ts";
import { answerDirection, buildAnswer } from "./answer.ts";
import { formatKey } from "./codec-match.ts";
import type { CodecGrant, DtlsGrant, ExtensionGrant, GrantParts, IceGrant } from "./grant-parts.ts";
import type {
  IceCredentials,
  Negotiated,
  NegotiatedSection,
  NegotiationError,
  NegotiationOptions,
} from "./negotiation.ts";
import { type OfferedTransport, checkOffer, negotiationError, offeredTransport } from "./offer-check.ts";
import { type SectionPlan, planSections } from "./section-plan.ts";

/** Answers an offer: the client always offers. Throws nothing. */
export function negotiate(offerSdp: string, options: NegotiationOptions): Result<Negotiated, NegotiationError> {
  const parsed = parseSdp(offerSdp, options.limits ?? DEFAULT_SDP_LIMITS);
  if (!parsed.ok) return err({ code: "sdp", message: parsed.error.message, sdp: parsed.error });
  const offer = parsed.value;
  const offerError = checkOffer(offer, options.previous);
  if (offerError !== undefined) return err(offerError);
  const transport = offeredTransport(offer);
  if (!transport.ok) return transport;
  const dtls = dtlsGrant(transport.value, options);
  if (!dtls.ok) return dtls;

  const plans = planSections(offer, options);
  if (plans.every(({ rejected }) => rejected)) return err(nothingAcceptable(plans));
  const codecs = collectCodecs(plans);
  if (!codecs.ok) return codecs;

  const iceRestart =
    options.previous !== undefined && hasNewCredentials(options.previous.grant.ice, transport.value.ice);
  const ice = iceGrant(transport.value.ice, iceRestart, options);
  const grant: GrantParts = {
    ice,
    dtls: dtls.value,
    codecs: codecs.value,
    extensions: collectExtensions(plans),
    receives: plans.flatMap(({ receive }) => receive ?? []),
    slots: plans.flatMap(({ slot }) => slot ?? []),
  };
  const answer = buildAnswer(offer, plans, { ice, dtls: dtls.value }, options);
  return ok({ answerSdp: writeSdp(answer), answer, grant, sections: plans.map(negotiatedSection), iceRestart });
}

/** The ICE part after a restart without a new offer (a WHIP PATCH): the old credentials stay as the previous ones. */
export function restartedIce(current: IceGrant, remote: IceCredentials, local: IceCredentials): IceGrant {
  return {
    localUfrag: local.ufrag,
    localPassword: local.password,
    remoteUfrag: remote.ufrag,
    remotePassword: remote.password,
    previousLocalUfrag: current.localUfrag,
    previousLocalPassword: current.localPassword,
    previousRemoteUfrag: current.remoteUfrag,
  };
}

/** RFC 8839 4.4.1.1.1: a restart is new ufrag and password. */
function hasNewCredentials(previous: IceGrant, offered: IceCredentials): boolean {
  return previous.remoteUfrag !== offered.ufrag || previous.remotePassword !== offered.password;
}

function iceGrant(remote: IceCredentials, iceRestart: boolean, options: NegotiationOptions): IceGrant {
  const before = options.previous?.grant.ice;
  if (before === undefined) {
    const local = options.newIceCredentials();
    return {
      localUfrag: local.ufrag,
      localPassword: local.password,
      remoteUfrag: remote.ufrag,
      remotePassword: remote.password,
      previousLocalUfrag: "",
      previousLocalPassword: "",
      previousRemoteUfrag: "",
    };
  }
  return iceRestart ? restartedIce(before, remote, options.newIceCredentials()) : before;
}

/** RFC 8842 5.3; in a renegotiation the association stays, and so do the roles. */
function dtlsGrant(offered: OfferedTransport, options: NegotiationOptions): Result<DtlsGrant, NegotiationError> {
  const before = options.previous?.grant.dtls;
  const remoteFingerprints = offered.fingerprints.map(({ algorithm, value }) => ({ algorithm, value }));
  if (before !== undefined) {
    const known = before.remoteFingerprints.map(fingerprintKey);
    if (!remoteFingerprints.every((fingerprint) => known.includes(fingerprintKey(fingerprint)))) {
      return err(negotiationError("fingerprint-changed", "a=fingerprint is another than before"));
    }
    return ok(before);
  }
  const localActive = offered.setup === "passive" || (offered.setup === "actpass" && options.dtlsRole === "active");
  return ok({ remoteFingerprints, localActive });
}

function fingerprintKey(fingerprint: { readonly algorithm: string; readonly value: Uint8Array }): string {
  return `${fingerprint.algorithm} ${fingerprint.value.join(".")}`;
}

function nothingAcceptable(plans: readonly SectionPlan[]): NegotiationError {
  return plans.some(({ lacksCodec }) => lacksCodec)
    ? negotiationError("no-common-codec", "no offered codec can be forwarded")
    : negotiationError("nothing-acceptable", "no media section can be accepted");
}

/** One table for the PeerConnection: in a bundle a payload type means one thing (RFC 8843 9.1). */
function collectCodecs(plans: readonly SectionPlan[]): Result<CodecGrant[], NegotiationError> {
  const codecs = new Map<number, CodecGrant>();
  const meanings = new Map<number, string>();
  for (const plan of plans) {
    for (const codec of plan.codecs) {
      const claims: [number, string][] = [[codec.payloadType, formatKey(codec)]];
      if (codec.rtxPayloadType !== 0) claims.push([codec.rtxPayloadType, `rtx of ${codec.payloadType}`]);
      for (const [payloadType, meaning] of claims) {
        const known = meanings.get(payloadType);
        if (known !== undefined && known !== meaning) {
          return err(
            negotiationError("payload-type-conflict", `payload type ${payloadType} means two things`, plan.mid),
          );
        }
        meanings.set(payloadType, meaning);
      }
      codecs.set(codec.payloadType, merged(codecs.get(codec.payloadType), codec));
    }
  }
  return ok([...codecs.values()]);
}

function merged(known: CodecGrant | undefined, codec: CodecGrant): CodecGrant {
  if (known === undefined) return codec;
  return {
    ...known,
    rtxPayloadType: known.rtxPayloadType || codec.rtxPayloadType,
    nack: known.nack || codec.nack,
    pli: known.pli || codec.pli,
    fir: known.fir || codec.fir,
    transportCc: known.transportCc || codec.transportCc,
  };
}

/** Planning saw to it that an id means one thing. */
function collectExtensions(plans: readonly SectionPlan[]): ExtensionGrant[] {
  const extensions = new Map<number, ExtensionGrant>();
  for (const plan of plans) for (const { id, extension } of plan.extensions) extensions.set(id, { id, extension });
  return [...extensions.values()];
}

function negotiatedSection(plan: SectionPlan): NegotiatedSection {
  return {
    mid: plan.mid,
    kind: plan.kind,
    direction: plan.rejected ? "inactive" : answerDirection(plan),
    rejected: plan.rejected,
    offeredDirection: plan.offeredDirection,
    slot: plan.slotIdentity,
  };
}
