import { type ErrorName, type SessionStatus, SessionState, errorNumber } from "@parley/protocol";
import {
  DEFAULT_ICE_AGENT_OPTIONS,
  IceAgent,
  type IceAgentOptions,
  type IceInput,
  planeIce,
} from "../ice/ice-agent.ts";
import type { DtlsGrant, Grant, IceGrant, Plain } from "../negotiation/grant-parts.ts";
import type { PathAddress, PlaneCodec, PlaneExtension } from "../ports.ts";
import { DeliveryMeter } from "./delivery-meter.ts";
import { PublishSide } from "./publish-side.ts";
import type { SessionInput, SessionOutput, SessionSample } from "./session-io.ts";
import { SubscribeSide } from "./subscribe-side.ts";

export interface SessionMachineOptions {
  readonly ice: IceAgentOptions;
  /** From the first path until DTLS is connected: several retransmissions of each flight (RFC 6347 4.2.4.1: 1, 2, 4, 8 s). */
  readonly dtlsTimeoutMs: number;
  /** At most one key frame in this time: each costs a publisher as much as some 10 other frames. */
  readonly keyFrameIntervalMs: number;
}

export const DEFAULT_SESSION_MACHINE_OPTIONS: SessionMachineOptions = {
  ice: DEFAULT_ICE_AGENT_OPTIONS,
  dtlsTimeoutMs: 30_000,
  keyFrameIntervalMs: 500,
};

/** A grant that can be acted on: with ICE and DTLS parts. */
export type OpenGrant = Grant & { readonly ice: IceGrant; readonly dtls: DtlsGrant };

export function isOpenGrant(grant: Grant): grant is OpenGrant {
  return (
    grant.ice !== undefined && grant.ice.localUfrag !== "" && grant.ice.localPassword !== "" && grant.dtls !== undefined
  );
}

/**
 * What has changed by so much since it was told, and by a quarter of it, is told at once; less with the next announcement, which may be half
 * a minute away: a loss that people notice (3 %) must not outlive its end by that.
 */
const LOSS_NEWS = 0.02;
const RTT_NEWS_MS = 20;

/** Clients check consent every 5 s (RFC 7675 5.1), most also send RTCP: two checks are lost, or it is. */
const SILENT_AFTER_MS = 10_000;

/** The session's part of a SessionStatus; the node adds its name and the ids. */
export type SessionReport = Pick<
  Plain<SessionStatus>,
  "acknowledgedRevision" | "state" | "reason" | "tracks" | "slots" | "rttMs" | "delivery" | "silent"
>;

/**
 * One session on a media node, sans-IO: what signaling wants, what the client does and what the data plane tells go in, what is to be
 * done comes out. It ends as `closed` (by grant, or the client said good-bye) or `failed`; then everything of it is freed, and it only reports.
 */
export class SessionMachine {
  readonly #options: SessionMachineOptions;
  readonly #ice: IceAgent;
  readonly #publish: PublishSide;
  readonly #subscribe = new SubscribeSide();
  readonly #delivery = new DeliveryMeter();
  #grant: OpenGrant;
  #revision: bigint;
  #dtls: "none" | "handshaking" | "connected" = "none";
  #dtlsDueMs: number | undefined;
  #codecsKey = "";
  #end: { readonly state: SessionState; readonly reason: number } | undefined;
  #rttMs = 0;
  #toldRttMs = 0;
  #toldLossRatio = 0;
  #toldSilent = false;
  #receivedPackets = 0;
  /** When that was seen to grow last. */
  #heardAtMs: number | undefined;
  #silent = false;
  #opened = false;
  /** The path that was selected last. */
  #mediaPath: PathAddress | undefined;

  /** Nothing is done before the first {@link handle} with this grant. */
  constructor(grant: OpenGrant, options: SessionMachineOptions = DEFAULT_SESSION_MACHINE_OPTIONS) {
    this.#options = options;
    this.#grant = grant;
    this.#revision = grant.revision;
    this.#ice = new IceAgent(options.ice);
    this.#publish = new PublishSide(options.keyFrameIntervalMs);
  }

  get grant(): Grant {
    return this.#grant;
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  get rejectedChecks(): number {
    return this.#ice.rejectedChecks;
  }

  get selectedPath(): PathAddress | undefined {
    return this.#ice.selectedPath;
  }

  get state(): SessionState {
    if (this.#end !== undefined) return this.#end.state;
    if (this.#ice.state === "new") return SessionState.NEW;
    return this.#dtls === "connected" && this.#ice.state === "connected"
      ? SessionState.CONNECTED
      : SessionState.CONNECTING;
  }

  handle(input: SessionInput, nowMs: number): SessionOutput[] {
    if (this.#end !== undefined) return input.type === "grant" ? this.#acknowledgeAfterEnd(input.grant) : [];
    const before = this.state;
    const outputs = this.#step(input, nowMs);
    outputs.push(...this.#afterPathChange());
    // On its way to being connected a session is of no interest to anybody, and is so for some ten milliseconds.
    if (this.state === before) return outputs;
    outputs.push({ type: this.state === SessionState.CONNECTING ? "status-soon" : "status" });
    return outputs;
  }

  #step(input: SessionInput, nowMs: number): SessionOutput[] {
    switch (input.type) {
      case "grant":
        return this.#applyGrant(input.grant, nowMs);
      case "stun":
        return this.#stepIce({ type: "check", address: input.address, datagram: input.datagram }, nowMs);
      case "nominated":
      case "path-closed":
        return this.#stepIce(input, nowMs);
      case "dtls":
        return this.#takeDtls(input.address, input.datagram, nowMs);
      case "dtls-state":
        return this.#takeDtlsState(input);
      case "publisher":
        return this.#subscribe.publisher(input.slotMid, input.track, nowMs);
      case "slot-started":
        return this.#subscribe.started(input.slotMid, input.streamId) ? [{ type: "status-soon" }] : [];
      case "track-ended":
        return this.#publish.ended(input.mid) ? [{ type: "status" }] : [];
      default:
        return this.#takeSample(input.sample, nowMs);
    }
  }

  #applyGrant(grant: Grant, nowMs: number): SessionOutput[] {
    this.#revision = grant.revision;
    if (grant.closed) return this.#finish(SessionState.CLOSED, "session-closed");
    if (!isOpenGrant(grant)) return [{ type: "status" }];
    const outputs: SessionOutput[] = [];
    // Parts that are the same object as in the revision before need no look: most revisions bind a slot.
    const before = this.#opened ? this.#grant : undefined;
    const isFirst = before === undefined;
    this.#grant = grant;
    if (isFirst) {
      this.#opened = true;
      outputs.push({ type: "open-peer", ice: planeIce(grant.ice) });
    }
    if (before?.ice !== grant.ice) outputs.push(...this.#stepIce({ type: "credentials", ice: grant.ice }, nowMs));
    if (before?.codecs !== grant.codecs || before.extensions !== grant.extensions) {
      outputs.push(...this.#applyCodecs(grant));
    }
    outputs.push(...this.#publish.apply(grant, before), ...this.#subscribe.apply(grant, before, nowMs));
    outputs.push({ type: isFirst ? "status" : "status-soon" });
    return outputs;
  }

  #applyCodecs(grant: Grant): SessionOutput[] {
    const codecs: PlaneCodec[] = grant.codecs.map((each) => ({
      payloadType: each.payloadType,
      codec: each.codec,
      clockRateHz: each.clockRateHz,
      rtxPayloadType: each.rtxPayloadType,
      nack: each.nack,
      pli: each.pli,
      fir: each.fir,
      transportCc: each.transportCc,
    }));
    const extensions: PlaneExtension[] = grant.extensions.map(({ id, extension }) => ({ id, extension }));
    const key = JSON.stringify([codecs, extensions]);
    if (key === this.#codecsKey) return [];
    this.#codecsKey = key;
    return [{ type: "set-codecs", codecs, extensions }];
  }

  #stepIce(input: IceInput, nowMs: number): SessionOutput[] {
    const outputs: SessionOutput[] = this.#ice.handle(input, nowMs);
    if (this.#ice.state === "failed") return [...outputs, ...this.#finish(SessionState.FAILED, "ice-failed")];
    if (this.#ice.state !== "new" && this.#dtlsDueMs === undefined) {
      this.#dtlsDueMs = nowMs + this.#options.dtlsTimeoutMs;
    }
    const path = this.#ice.selectedPath;
    if (path !== undefined && this.#dtls === "none" && this.#grant.dtls.localActive) {
      outputs.push(...this.#openDtls(), { type: "dtls-receive", address: path, datagram: new Uint8Array(0) });
    }
    return outputs;
  }

  /**
   * What was sent over a way that had died is lost for good. Decoders find that out after seconds (libwebrtc waits 3 s for a frame it
   * can decode); a key frame at once in both directions spares them that.
   */
  #afterPathChange(): SessionOutput[] {
    const path = this.#ice.selectedPath;
    if (this.#end !== undefined || path === undefined || path === this.#mediaPath) return [];
    const isFirst = this.#mediaPath === undefined;
    this.#mediaPath = path;
    if (isFirst || this.#dtls !== "connected") return [];
    const own = this.#publish.videoMids().map((mid) => ({ sessionId: this.#grant.sessionId, mid }));
    return [...own, ...this.#subscribe.shownVideos()].map((track) => ({ type: "request-key-frame", track }));
  }

  #openDtls(): SessionOutput[] {
    this.#dtls = "handshaking";
    const { localActive, remoteFingerprints } = this.#grant.dtls;
    return [{ type: "open-dtls", options: { role: localActive ? "client" : "server", remoteFingerprints } }];
  }

  #takeDtls(address: PathAddress, datagram: Uint8Array, nowMs: number): SessionOutput[] {
    // RFC 8445 12.2: a client may send as soon as its check succeeded, before it nominates.
    const outputs = this.#stepIce({ type: "used", address }, nowMs);
    if (this.#end !== undefined) return outputs;
    if (this.#dtls === "none") outputs.push(...this.#openDtls());
    outputs.push({ type: "dtls-receive", address, datagram });
    return outputs;
  }

  #takeDtlsState(input: Extract<SessionInput, { type: "dtls-state" }>): SessionOutput[] {
    switch (input.state) {
      case "connected":
        if (this.#dtls === "connected") return [];
        this.#dtls = "connected";
        return [{ type: "set-srtp-keys" }];
      case "closed":
        // close_notify: the client has closed its PeerConnection, without or before telling signaling.
        return this.#finish(SessionState.CLOSED, "session-closed");
      default:
        return this.#finish(SessionState.FAILED, input.fingerprintMismatch ? "fingerprint-mismatch" : "dtls-failed");
    }
  }

  #takeSample(sample: SessionSample, nowMs: number): SessionOutput[] {
    this.#rttMs = sample.rttUs / 1000;
    this.#delivery.take(sample.delivery, nowMs);
    this.#listen(sample.receivedPackets, nowMs);
    const outputs = this.#stepIce({ type: "consent", ageMs: sample.consentAgeMs }, nowMs);
    if (this.#end !== undefined) return outputs;
    if (this.#dtls !== "connected" && this.#dtlsDueMs !== undefined && nowMs >= this.#dtlsDueMs) {
      return [...outputs, ...this.#finish(SessionState.FAILED, "dtls-failed")];
    }
    outputs.push(...this.#subscribe.sample(sample.slots, nowMs));
    if (this.#publish.sample(sample.tracks, nowMs)) outputs.push({ type: "status" });
    return outputs;
  }

  #listen(receivedPackets: number, nowMs: number): void {
    if (this.#heardAtMs === undefined || receivedPackets !== this.#receivedPackets) this.#heardAtMs = nowMs;
    this.#receivedPackets = receivedPackets;
    this.#silent = this.#dtls === "connected" && nowMs - this.#heardAtMs >= SILENT_AFTER_MS;
  }

  #finish(state: SessionState, reason: ErrorName): SessionOutput[] {
    if (this.#end !== undefined) return [];
    this.#end = { state, reason: errorNumber(reason) };
    return [...this.#publish.clear(), ...this.#subscribe.clear(), { type: "close-peer" }, { type: "status" }];
  }

  #acknowledgeAfterEnd(grant: Grant): SessionOutput[] {
    this.#revision = grant.revision;
    return [{ type: "status" }];
  }

  /**
   * Both ways. What transport-wide feedback counts of all packets since the last sample is worth more than a slot's receiver report of one second:
   * one packet lost of thirty would be three per cent.
   */
  get #lossRatio(): number {
    return Math.max(this.#publish.worstLossRatio, this.#delivery.lossRatio ?? this.#subscribe.worstLossRatio);
  }

  /**
   * Nothing is awaited of it and nothing of it is looked at but whether its client lives: it publishes nothing, and what it is sent flows and
   * arrives. It need not be sampled, and told, as often as others.
   */
  get isCalm(): boolean {
    const flows = !this.#subscribe.isWaiting && this.#lossRatio < LOSS_NEWS;
    return this.state === SessionState.CONNECTED && !this.#silent && this.#publish.isEmpty && flows;
  }

  /** What was measured differs from the last {@link report} by more than noise. */
  get hasNews(): boolean {
    if (this.#silent !== this.#toldSilent) return true;
    return (
      differs(this.#lossRatio, this.#toldLossRatio, LOSS_NEWS) || differs(this.#rttMs, this.#toldRttMs, RTT_NEWS_MS)
    );
  }

  /** What is to be told of the session now; counts as told. */
  report(): SessionReport {
    this.#toldRttMs = this.#rttMs;
    this.#toldLossRatio = this.#lossRatio;
    this.#toldSilent = this.#silent;
    return {
      acknowledgedRevision: this.#revision,
      state: this.state,
      reason: this.#end?.reason ?? 0,
      tracks: this.#publish.status(),
      slots: this.#subscribe.status(),
      rttMs: this.#rttMs,
      delivery: this.#delivery.reading,
      silent: this.#silent,
    };
  }
}

function differs(now: number, told: number, atLeast: number): boolean {
  return Math.abs(now - told) >= Math.max(atLeast, told / 4);
}
