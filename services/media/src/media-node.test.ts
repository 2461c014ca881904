import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type PeerCounters, parseStun } from "@parley/domain-media-control";
import { subjects } from "@parley/foundation";
import {
  type AudioLevels,
  AudioLevelsSchema,
  Codec,
  GrantRequestSchema,
  GrantsWantedSchema,
  MediaKind,
  SessionState,
  errorNumber,
} from "@parley/protocol";
import { noSlotCounters, noTrackCounters } from "@parley/testing";
import { World, av1, opus, pathOf, videoSlot, videoTrack, vp8 } from "./test/world.ts";

describe("media node", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  afterEach(() => world.close());

  describe("grants", () => {
    it("opens what is granted, and acknowledges at once", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] });
      assert.equal(world.status("p").acknowledgedRevision, 1n);
      assert.equal(world.status("p").state, SessionState.NEW);
      assert.equal(world.track("p", "v").options.streamId, 7);
      assert.equal(world.slot("p", "sv").options.clockRateHz, 90000);
      assert.deepEqual(
        world.peer("p").codecs.map(({ codec }) => codec),
        [Codec.VP8, Codec.OPUS],
      );
      assert.equal(world.status("p").nodeBootId, world.node.bootId);
    });

    it("a repeat changes nothing and is acknowledged again", async () => {
      const grant = { sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] };
      await world.grant(grant);
      const commands = world.plane.commands.length;
      const statuses = world.statusCount("p");
      await world.grant(grant);
      assert.equal(world.plane.commands.length, commands);
      assert.equal(world.statusCount("p"), statuses + 1);
    });

    it("the highest revision wins, in whatever order they come", async () => {
      await world.grant({ sessionId: "p", revision: 5n, receives: [videoTrack(7, { paused: true })] });
      await world.grant({ sessionId: "p", revision: 4n, receives: [] });
      assert.equal(world.track("p", "v").paused, true);
      assert.equal(world.status("p").acknowledgedRevision, 5n);
      await world.grant({ sessionId: "p", revision: 6n, receives: [videoTrack(7)] });
      assert.equal(world.track("p", "v").paused, false);
      assert.equal(world.plane.commands.filter((each) => each === "openTrack").length, 1);
    });

    it("refuses the grants of a former owner of the rooms, as soon as it has heard of the new one", async () => {
      const fence = (revision: bigint) => ({ bucketId: "b", shard: "all", revision });
      await world.grant({ sessionId: "p", receives: [videoTrack(7)], fence: fence(5n) });
      const wanted = create(GrantsWantedSchema, { fence: fence(9n) });
      world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, wanted));
      await world.settle();
      assert.equal(world.held.length, 1);
      await world.grant({ sessionId: "p", revision: 2n, receives: [], closed: true, fence: fence(5n) });
      await world.grant({ sessionId: "ghost", receives: [videoTrack(8)], fence: fence(8n) });
      assert.equal(world.node.sessions, 1);
      assert.equal(world.status("p").acknowledgedRevision, 1n);
      assert.equal(world.metrics.read("parley_media_grants_total", "fenced"), 2);
      const old = create(GrantsWantedSchema, { fence: fence(5n) });
      world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, old));
      await world.settle();
      assert.equal(world.held.length, 1, "it is not answered either");
      await world.grant({ sessionId: "p", revision: 2n, receives: [], fence: fence(9n) });
      await world.soon();
      assert.equal(world.status("p").acknowledgedRevision, 2n);
    });

    it("closed: everything is freed, late repeats do not bring it back", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      await world.connect("p");
      await world.grant({ sessionId: "p", revision: 2n, closed: true });
      assert.equal(world.status("p").state, SessionState.CLOSED);
      assert.equal(world.status("p").acknowledgedRevision, 2n);
      assert.equal(world.plane.peers.size, 0);
      assert.equal(world.plane.tracks.size, 0);
      assert.ok(world.sentTexts().includes("close-notify"));
      assert.equal(world.node.sessions, 0);
      await world.grant({ sessionId: "p", revision: 1n, receives: [videoTrack(7)] });
      assert.equal(world.plane.peers.size, 0);
      assert.equal(world.status("p").state, SessionState.CLOSED);
    });

    it("closed before it was ever heard of is acknowledged too", async () => {
      await world.grant({ sessionId: "p", revision: 3n, closed: true });
      assert.equal(world.status("p").state, SessionState.CLOSED);
      assert.equal(world.status("p").acknowledgedRevision, 3n);
    });

    it("of another life of the node: session-lost", async () => {
      await world.grant({ sessionId: "p", nodeBootId: world.node.bootId + 1n });
      assert.equal(world.status("p").state, SessionState.FAILED);
      assert.equal(world.status("p").reason, errorNumber("session-lost"));
      assert.equal(world.plane.peers.size, 0);
    });

    it("named as standing it is kept; of one that is not here, it is said so, and the whole of it opens it", async () => {
      await world.grant({ sessionId: "p" });
      await world.pass(5_000);
      const statuses = world.statusCount("p");
      for (let turn = 0; turn < 4; turn += 1) {
        await world.confirm({ sessionId: "p", revision: 1n });
        assert.equal(world.node.sessions, 1);
        if (turn === 0) assert.equal(world.statusCount("p"), statuses, "no answer is needed");
        await world.pass(10_000);
      }
      await world.confirm({ sessionId: "q", revision: 1n });
      assert.equal(world.status("q").acknowledgedRevision, 0n);
      assert.equal(world.status("q").state, SessionState.UNSPECIFIED);
      assert.equal(world.node.sessions, 1);
      await world.grant({ sessionId: "q" });
      assert.equal(world.status("q").acknowledgedRevision, 1n);
      await world.confirm({ sessionId: "q", revision: 2n });
      assert.equal(world.status("q").acknowledgedRevision, 1n);
      await world.confirm({ sessionId: "q", revision: 1n, nodeBootId: world.node.bootId + 1n });
      assert.equal(world.status("q").reason, errorNumber("session-lost"));
    });

    it("nobody repeats it for 35 s: it is forgotten", async () => {
      await world.grant({ sessionId: "p" });
      await world.connect("p");
      for (let second = 0; second < 33; second += 1) {
        world.keepAlive("p");
        await world.pass(1000);
      }
      assert.equal(world.status("p").state, SessionState.CONNECTED);
      await world.grant({ sessionId: "p" });
      for (let second = 0; second < 37; second += 1) {
        if (world.node.sessions > 0) world.keepAlive("p");
        await world.pass(1000);
      }
      assert.equal(world.node.sessions, 0);
      assert.equal(world.plane.peers.size, 0);
      assert.equal(world.status("p").state, SessionState.CLOSED);
    });

    it("nonsense is counted and harmless, another tenant's session id too", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      world.bus.publish(subjects.mediaGrant("node"), new Uint8Array([0xff, 0xff, 0xff]));
      await world.grant({ sessionId: "" });
      await world.grant({ sessionId: "q", ice: undefined });
      await world.grant({ sessionId: "p", appId: "other", revision: 9n, closed: true });
      assert.equal(world.plane.peers.size, 1);
      assert.equal(world.metrics.read("parley_media_grants_total", "malformed"), 4);
    });

    it("a signaling process that starts gets all grants as they came", async () => {
      await world.grant({ sessionId: "p", ownerState: new Uint8Array([1, 2, 3]) });
      await world.grant({ sessionId: "q" });
      await world.grant({ sessionId: "p", revision: 2n, ownerState: new Uint8Array([4]) });
      world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, create(GrantsWantedSchema)));
      await world.settle();
      assert.deepEqual(
        world.held.map(({ sessionId, revision, ownerState }) => [sessionId, revision, [...ownerState]]),
        [
          ["p", 2n, [4]],
          ["q", 1n, []],
        ],
      );
    });
  });

  describe("connecting", () => {
    it("check, handshake, keys: connected, told at once", async () => {
      await world.grant({ sessionId: "p" });
      world.check("p");
      await world.soon();
      assert.equal(world.status("p").state, SessionState.CONNECTING);
      assert.deepEqual(world.peer("p").selected, pathOf(5000));
      assert.equal(parseStun(world.plane.sent[0]!.datagram)?.class, "success");
      world.dtls("p", "hello");
      world.dtls("p", "finished");
      await world.settle();
      assert.equal(world.peer("p").keyed, true);
      assert.equal(world.status("p").state, SessionState.CONNECTED);
      assert.deepEqual(world.sentTexts().slice(1), ["server-hello", "finished"]);
    });

    it("a lost flight is sent again when its time is up", async () => {
      await world.grant({ sessionId: "p" });
      world.check("p");
      world.dtls("p", "hello");
      await world.pass(1000);
      assert.equal(world.plane.handshakes[0]?.timeouts, 1);
      assert.equal(world.sentTexts().filter((text) => text === "server-hello").length, 2);
      await world.pass(2000);
      assert.equal(world.plane.handshakes[0].timeouts, 2);
      world.dtls("p", "finished");
      await world.pass(10_000);
      assert.equal(world.plane.handshakes[0].timeouts, 2, "no timer after the handshake");
    });

    it("a client that wants to be passive gets our ClientHello", async () => {
      const dtls = { remoteFingerprints: [{ algorithm: "sha-256", value: new Uint8Array(32) }], localActive: true };
      await world.grant({ sessionId: "p", dtls });
      world.check("p");
      await world.settle();
      assert.equal(world.plane.handshakes[0]?.options.role, "client");
      assert.ok(world.sentTexts().includes("client-hello"));
    });

    it("a failed handshake and one that takes too long end the session with a number", async () => {
      await world.grant({ sessionId: "p" });
      world.check("p");
      world.dtls("p", "garbage");
      await world.settle();
      assert.equal(world.status("p").state, SessionState.FAILED);
      assert.equal(world.status("p").reason, errorNumber("dtls-failed"));
      assert.equal(world.plane.peers.size, 0);

      await world.grant({ sessionId: "q" });
      world.check("q");
      for (let second = 0; second < 32; second += 1) {
        if (world.plane.peers.size > 0) world.keepAlive("q");
        await world.grant({ sessionId: "q" });
        await world.pass(1000);
      }
      assert.equal(world.status("q").reason, errorNumber("dtls-failed"));
    });

    it("consent that runs out fails the session; it goes on being reported", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      await world.connect("p");
      world.keepAlive("p");
      await world.pass(29_000);
      assert.equal(world.status("p").state, SessionState.CONNECTED);
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      await world.pass(2500);
      assert.equal(world.status("p").state, SessionState.FAILED);
      assert.equal(world.status("p").reason, errorNumber("ice-failed"));
      assert.equal(world.plane.peers.size, 0);
      const count = world.statusCount("p");
      await world.pass(12_000);
      assert.ok(world.statusCount("p") >= count + 3);
    });

    it("close_notify of the client closes the session at once", async () => {
      await world.grant({ sessionId: "p" });
      await world.connect("p");
      world.dtls("p", "alert");
      await world.settle();
      assert.equal(world.status("p").state, SessionState.CLOSED);
      assert.equal(world.plane.peers.size, 0);
    });

    it("ICE restart: new credentials, old ones answered, retired after the new nomination", async () => {
      await world.grant({ sessionId: "p" });
      await world.connect("p");
      const ice = {
        localUfrag: "p2-local",
        localPassword: "p2-password-password-1",
        remoteUfrag: "remo",
        remotePassword: "remotepassword",
        previousLocalUfrag: "p-local",
        previousLocalPassword: "p-password-password-1",
        previousRemoteUfrag: "remo",
      };
      await world.grant({ sessionId: "p", revision: 2n, ice });
      const peer = world.peer("p2");
      assert.equal(peer.previousIce?.localUfrag, "p-local");
      world.plane.sent.length = 0;
      world.check("p", pathOf(5001), false);
      assert.equal(world.plane.sent.length, 1, "the old generation is still answered");
      world.check("p2", pathOf(6000));
      assert.equal(peer.previousIce, undefined);
      assert.deepEqual(peer.selected, pathOf(6000));
      assert.equal(world.plane.peers.size, 1);
    });

    it("follows a client that changes its address, by check and by nomination", async () => {
      await world.grant({ sessionId: "p" });
      await world.connect("p");
      world.check("p", pathOf(6000));
      assert.deepEqual(world.peer("p").selected, pathOf(6000));
      world.plane.emit({ type: "nominated", peer: world.peer("p").handle, address: pathOf(5000) });
      assert.deepEqual(world.peer("p").selected, pathOf(5000));
    });
  });

  describe("checks that are faster than their grant", () => {
    it("ask once, and are answered when the grant comes", async () => {
      const asked: string[] = [];
      world.bus.subscribe(subjects.mediaGrantGet, ({ payload, reply }) => {
        asked.push(fromBinary(GrantRequestSchema, payload).localUfrag);
        reply?.(world.grantBytes({ sessionId: "p" }));
      });
      world.check("p");
      world.check("p");
      await world.settle();
      assert.deepEqual(asked, ["p-local"]);
      assert.equal(world.plane.sent.length, 1);
      assert.equal(world.status("p").state, SessionState.CONNECTING);
    });

    it("a grant that comes by itself is as good", async () => {
      world.check("p");
      await world.settle();
      await world.grant({ sessionId: "p" });
      assert.equal(world.plane.sent.length, 1);
      assert.deepEqual(world.peer("p").selected, pathOf(5000));
    });

    it("another path for media that flows: a key frame at once, of what is sent here and of what is shown here", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      await world.grant({ sessionId: "w", slots: [videoSlot({ sessionId: "p", streamId: 7 })] });
      for (const sessionId of ["p", "w"]) world.check(sessionId, pathOf(sessionId === "p" ? 5000 : 5100));
      await world.connect("p", pathOf(5000));
      await world.connect("w", pathOf(5100));
      const before = world.track("p", "v").keyFrameRequests;
      world.check("p", pathOf(6000));
      assert.equal(world.track("p", "v").keyFrameRequests, before + 1);
      world.check("w", pathOf(6100));
      assert.equal(world.track("p", "v").keyFrameRequests, before + 2);
      world.check("w", pathOf(6100));
      assert.equal(world.track("p", "v").keyFrameRequests, before + 2, "the same path is no news");
    });

    it("an unknown session is asked for again only after a while, a flood not at all", async () => {
      const asked: string[] = [];
      world.bus.subscribe(subjects.mediaGrantGet, ({ payload, reply }) => {
        asked.push(fromBinary(GrantRequestSchema, payload).localUfrag);
        reply?.(new Uint8Array(0));
      });
      for (let step = 0; step < 40; step += 1) {
        world.check("gone");
        await world.pass(100);
      }
      assert.equal(asked.length, 1);
      await world.pass(3000);
      world.check("gone");
      await world.settle();
      assert.equal(asked.length, 2);
      await world.pass(2000);
      asked.length = 0;
      for (let index = 0; index < 2000; index += 1) world.check(`flood${index}`);
      await world.settle();
      assert.equal(asked.length, 50);
    });
  });

  describe("bindings", () => {
    const publisher = { sessionId: "p", receives: [videoTrack(7)] };
    const viewer = { sessionId: "w", slots: [videoSlot({ sessionId: "p", streamId: 7 })] };

    it("a viewer that comes first waits, and starts when the publisher comes", async () => {
      await world.grant(viewer);
      assert.equal(world.slot("w", "sv").track, undefined);
      await world.grant(publisher);
      const bound = world.slot("w", "sv");
      assert.equal(bound.track, world.track("p", "v").handle);
      assert.deepEqual(bound.payloadTypes, [{ from: 96, to: 96 }]);
      assert.equal(bound.binds, 1);
    });

    it("a viewer that comes late is bound at once, and tells when pictures flow", async () => {
      await world.grant(publisher);
      await world.grant(viewer);
      const bound = world.slot("w", "sv");
      assert.equal(bound.track, world.track("p", "v").handle);
      assert.equal(world.status("w").slots[0]?.streamId, 0);
      world.plane.emit({ type: "slot-started", slot: bound.handle, track: world.track("p", "v").handle });
      await world.soon();
      assert.equal(world.status("w").slots[0]?.streamId, 7);
    });

    it("many switches are told once, within a fifth of a second", async () => {
      await world.grant(publisher);
      await world.grant({ ...publisher, sessionId: "p2", receives: [videoTrack(8)] });
      await world.grant(viewer);
      await world.soon();
      const before = world.statusCount("w");
      for (let revision = 2n; revision < 12n; revision += 1n) {
        const to = revision % 2n === 0n ? { sessionId: "p2", streamId: 8 } : { sessionId: "p", streamId: 7 };
        await world.grant({ ...viewer, revision, slots: [videoSlot(to)] });
        const track = world.track(to.sessionId, "v").handle;
        world.plane.emit({ type: "slot-started", slot: world.slot("w", "sv").handle, track });
      }
      assert.equal(world.statusCount("w"), before);
      await world.soon();
      assert.equal(world.status("w").acknowledgedRevision, 11n);
      assert.equal(world.status("w").slots[0]?.streamId, 7);
      // The session's regular status may fall into that time.
      const told = world.statusCount("w") - before;
      assert.ok(told >= 1 && told <= 2, `told ${told} times`);
    });

    it("a key frame is asked for again while a slot waits, and no longer once it started", async () => {
      await world.grant(publisher);
      await world.grant(viewer);
      for (let second = 0; second < 3; second += 1) await world.pass(1000);
      const asked = world.track("p", "v").keyFrameRequests;
      assert.ok(asked >= 2 && asked <= 3, `asked ${asked} times`);
      world.plane.emit({
        type: "slot-started",
        slot: world.slot("w", "sv").handle,
        track: world.track("p", "v").handle,
      });
      await world.pass(3000);
      assert.equal(world.track("p", "v").keyFrameRequests, asked);
    });

    it("the publisher leaves and returns: unbound, then bound to the new track", async () => {
      await world.grant(publisher);
      await world.grant(viewer);
      await world.grant({ sessionId: "p", revision: 2n, closed: true });
      assert.equal(world.slot("w", "sv").track, undefined);
      await world.grant({ ...publisher, sessionId: "p2" });
      await world.grant({ ...viewer, revision: 2n, slots: [videoSlot({ sessionId: "p2", streamId: 7 })] });
      assert.equal(world.slot("w", "sv").track, world.track("p2", "v").handle);
    });

    it("a track that is opened anew (other SSRCs) is bound again", async () => {
      await world.grant(publisher);
      await world.grant(viewer);
      const first = world.track("p", "v").handle;
      const anew = { ...videoTrack(7), encodings: [{ ssrc: 5, rtxSsrc: 6 }] };
      await world.grant({ ...publisher, revision: 2n, receives: [anew] });
      assert.notEqual(world.track("p", "v").handle, first);
      assert.equal(world.slot("w", "sv").track, world.track("p", "v").handle);
    });

    it("a slot switches between publishers without passing through nothing", async () => {
      await world.grant(publisher);
      await world.grant({ ...publisher, sessionId: "p2", receives: [videoTrack(8)] });
      await world.grant(viewer);
      await world.grant({ ...viewer, revision: 2n, slots: [videoSlot({ sessionId: "p2", streamId: 8 })] });
      const bound = world.slot("w", "sv");
      assert.equal(bound.track, world.track("p2", "v").handle);
      assert.equal(bound.binds, 2);
      await world.grant({ ...viewer, revision: 3n, slots: [videoSlot()] });
      assert.equal(bound.track, undefined);
      assert.equal(bound.binds, 3);
    });

    it("a codec the viewer lacks is told by number, and cured by a backup codec", async () => {
      await world.grant({ ...publisher, codecs: [av1, opus], receives: [videoTrack(7, { payloadTypes: [45] })] });
      await world.grant(viewer);
      assert.equal(world.status("w").slots[0]?.error, errorNumber("codec-not-accepted"));
      assert.equal(world.slot("w", "sv").track, undefined);
      const both = { codecs: [av1, vp8, opus], receives: [videoTrack(7, { payloadTypes: [45, 96] })] };
      await world.grant({ ...publisher, ...both, revision: 2n });
      await world.soon();
      assert.equal(world.status("w").slots[0]?.error, 0);
      assert.deepEqual(world.slot("w", "sv").payloadTypes, [{ from: 96, to: 96 }]);
    });

    it("the viewer's failure leaves the publisher alone, and nothing dangles", async () => {
      await world.grant(publisher);
      await world.grant(viewer);
      await world.connect("w");
      world.dtls("w", "alert");
      await world.grant({ ...publisher, revision: 2n, receives: [] });
      await world.grant({ ...publisher, revision: 3n });
      assert.equal(world.plane.staleCommands, 0);
      assert.equal(world.plane.tracks.size, 1);
    });
  });

  describe("statuses", () => {
    it("with rate and loss, and at once when a track falls silent", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      await world.connect("p");
      const feed = (packets: number): void => {
        const each = world.track("p", "v");
        each.counters = {
          ...noTrackCounters,
          packets,
          bytes: packets * 1000,
          lost: Math.floor(packets / 10),
          payloadType: 96,
          lastPacketMonoMs: world.plane.nowMs(),
        };
        world.keepAlive("p");
      };
      for (let second = 1; second <= 3; second += 1) {
        feed(second * 100);
        await world.pass(1000);
      }
      const [live] = world.status("p").tracks;
      assert.equal(live?.live, true);
      assert.equal(live.codec, Codec.VP8);
      assert.equal(live.bitrateBps, 800_000);
      assert.ok(Math.abs(live.lossRatio - 10 / 110) < 0.001);
      await world.pass(3000);
      assert.equal(world.status("p").tracks[0]?.live, false);
      feed(400);
      await world.pass(1000);
      assert.equal(world.status("p").tracks[0]?.live, true);
      world.plane.emit({ type: "track-ended", track: world.track("p", "v").handle });
      await world.settle();
      assert.equal(world.status("p").tracks[0]?.live, false, "RTCP BYE");
    });

    it("carry the loss and rate of slots, the level of audio, and the round trip", async () => {
      const audio = { mid: "a", kind: MediaKind.AUDIO, streamId: 7, payloadTypes: [111] };
      await world.grant({ sessionId: "p", receives: [audio], slots: [videoSlot()] });
      await world.connect("p");
      for (let second = 1; second <= 3; second += 1) {
        const each = world.track("p", "a");
        each.counters = { ...noTrackCounters, packets: second, audioLevel: 90, lastPacketMonoMs: world.plane.nowMs() };
        world.slot("p", "sv").counters = { ...noSlotCounters, bytes: second * 1000, lossRatio: 0.25 };
        world.keepAlive("p");
        world.peer("p").counters = { ...world.peer("p").counters, rttUs: 12_500 };
        await world.pass(1000);
      }
      const status = world.status("p");
      assert.equal(status.rttMs, 12.5);
      assert.equal(status.tracks[0]?.audioLevel, 90);
      assert.equal(status.slots[0]?.bitrateBps, 8000);
      assert.equal(status.slots[0].lossRatio, 0.25);
    });

    it("what is new is said at once and twice more; what stays the same, every five seconds", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] });
      await world.connect("p");
      // How often it is told in the second that follows.
      const told = async (): Promise<number> => {
        const before = world.statusCount("p");
        world.keepAlive("p");
        await world.pass(1000);
        return world.statusCount("p") - before;
      };
      assert.deepEqual([await told(), await told(), await told()], [1, 1, 0], "the connection");
      const slot = world.slot("p", "sv");
      const measure = (lossRatio: number, rttMs: number): void => {
        slot.counters = { ...slot.counters, lossRatio };
        const peer = world.peer("p");
        peer.counters = { ...peer.counters, rttUs: rttMs * 1000 };
      };
      measure(0.03, 15);
      assert.equal(await told(), 0, "noise");
      measure(0.08, 15);
      assert.equal(await told(), 1, "loss");
      measure(0.08, 40);
      assert.equal(await told(), 1, "the round trip");
      let count = 0;
      for (let second = 0; second < 20; second += 1) count += await told();
      assert.equal(count, 4);
      assert.ok(Math.abs((world.status("p").slots[0]?.lossRatio ?? 0) - 0.08) < 1e-6);
      world.bus.publish(subjects.mediaGrantsWanted, toBinary(GrantsWantedSchema, create(GrantsWantedSchema)));
      await world.settle();
      assert.deepEqual(
        [await told(), await told(), await told(), await told()],
        [1, 1, 1, 0],
        "a new owner of the rooms",
      );
    });

    it("2,000 sessions have one timer, and spread their turns", async () => {
      const timers = world.clock.pendingCount;
      for (let index = 0; index < 2000; index += 1) await world.grant({ sessionId: `s${index}` });
      assert.equal(world.clock.pendingCount, timers);
      const turns = async (): Promise<{ readonly all: number; readonly most: number }> => {
        world.statuses.length = 0;
        let most = 0;
        for (let step = 0; step < 20; step += 1) {
          const before = world.statuses.length;
          await world.pass(50);
          most = Math.max(most, world.statuses.length - before);
        }
        return { all: world.statuses.length, most };
      };
      assert.deepEqual(await turns(), { all: 2000, most: 200 });
      assert.deepEqual(await turns(), { all: 2000, most: 200 });
      assert.deepEqual(await turns(), { all: 0, most: 0 });
    });
  });

  describe("the node", () => {
    it("announces itself every 250 ms", async () => {
      await world.pass(1000);
      assert.equal(world.announcements.length, 5);
      const last = world.announcements.at(-1);
      assert.equal(last?.nodeId, "node");
      assert.equal(last.bootId, world.node.bootId);
      assert.equal(last.dtlsFingerprint.length, 32);
      assert.deepEqual(
        last.addresses.map(({ ip, udpPort, tcpPort }) => [ip, udpPort, tcpPort]),
        [["192.0.2.1", 3478, 3478]],
      );
    });

    it("drains: says so, refuses new sessions, keeps the others", async () => {
      await world.grant({ sessionId: "p" });
      world.node.drain();
      await world.grant({ sessionId: "q" });
      assert.equal(world.announcements.at(-1)?.draining, true);
      assert.equal(world.status("q").reason, errorNumber("draining"));
      await world.grant({ sessionId: "p", revision: 2n, receives: [videoTrack(7)] });
      await world.soon();
      assert.equal(world.status("p").acknowledgedRevision, 2n);
      assert.equal(world.node.sessions, 1);
    });

    it("is full at its bound", async () => {
      const small = new World({ grants: { maxSessions: 1 } });
      await small.grant({ sessionId: "p" });
      await small.grant({ sessionId: "q" });
      assert.equal(small.status("q").reason, errorNumber("too-many-sessions"));
      small.close();
    });

    it("closes: clients are told, sessions reported closed, no timer is left", async () => {
      await world.grant({ sessionId: "p" });
      await world.connect("p");
      world.node.close();
      await world.settle();
      assert.equal(world.status("p").state, SessionState.CLOSED);
      assert.ok(world.sentTexts().includes("close-notify"));
      assert.equal(world.clock.pendingCount, 0);
      assert.equal(world.plane.peers.size, 0);
    });

    it("hands transport-wide feedback on under its session, and nothing of peers that are gone", async () => {
      await world.grant({ sessionId: "p" });
      const { handle } = world.peer("p");
      const told = { peer: handle, receivedMonoMs: 5, feedbackDelayUs: 9, groups: [] };
      world.plane.report({ ...told, packets: 3, bytes: 3_000, lost: 1 });
      world.plane.report({ ...told, packets: 4, bytes: 4_000, lost: 0 });
      assert.equal(world.feedback.length, 0);
      await world.pass(50);
      assert.deepEqual(
        world.feedback.map(({ sessionId, told: { packets } }) => [sessionId, packets]),
        [
          ["p", 3],
          ["p", 4],
        ],
      );
      await world.grant({ sessionId: "p", revision: 2n, closed: true });
      world.plane.report({ ...told, packets: 1, bytes: 1_000, lost: 0 });
      await world.pass(50);
      assert.equal(world.feedback.length, 2);
      world.node.close();
      assert.equal(world.plane.feedbackIsWanted, false);
    });

    it("tells what reaches the client: rate, loss, and how long it waits for its turn", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)] });
      await world.connect("p");
      const play = (counters: Partial<PeerCounters>): void => {
        world.keepAlive("p");
        const peer = world.peer("p");
        peer.counters = { ...peer.counters, ...counters };
      };
      await world.pass(1000);
      assert.equal(world.status("p").delivery, undefined);
      play({ deliveredPackets: 90, deliveredBytes: 125_000, undeliveredPackets: 10, pacingDelayUs: 12_500 });
      await world.pass(1000);
      assert.equal(world.status("p").delivery?.bitrateBps, 1_000_000);
      assert.ok(Math.abs((world.status("p").delivery?.lossRatio ?? 0) - 0.1) < 1e-6);
      assert.equal(world.status("p").delivery?.pacingDelayMs, 12.5);
      play({ deliveredPackets: 190, deliveredBytes: 187_500, pacingDelayUs: 0 });
      await world.pass(1000);
      assert.equal(world.status("p").delivery?.bitrateBps, 500_000);
      assert.equal(world.status("p").delivery?.lossRatio, 0);
      assert.equal(world.status("p").delivery?.pacingDelayMs, 0);
    });

    it("tells changed sound levels ten times a second: one message for all rooms and tracks, none when nothing changes", async () => {
      const told: AudioLevels[] = [];
      world.bus.subscribe(subjects.mediaLevels, ({ payload }) => told.push(fromBinary(AudioLevelsSchema, payload)));
      const levels = (values: Readonly<Record<string, number>>): void => {
        for (const [sessionId, audioLevel] of Object.entries(values)) {
          const track = world.track(sessionId, "a");
          track.counters = { ...noTrackCounters, packets: 1, audioLevel, lastPacketMonoMs: world.plane.nowMs() };
        }
      };
      const receives = [videoTrack(7), { ...videoTrack(7), mid: "a", kind: MediaKind.AUDIO, payloadTypes: [111] }];
      await world.grant({ sessionId: "p", receives });
      await world.grant({ sessionId: "q", receives });
      await world.grant({ sessionId: "r", roomId: "other", receives });
      await world.pass(1_000);
      assert.equal(told.length, 0, "silence is no news");
      levels({ p: 90, q: 60, r: 100 });
      await world.pass(100);
      assert.equal(told.length, 1);
      const [first] = told;
      assert.deepEqual([first?.nodeId, first?.nodeBootId], ["node", world.node.bootId]);
      const plain = (message: AudioLevels | undefined): unknown =>
        message?.rooms.map((room) => room.tracks.map(({ sessionId, mid, level }) => [sessionId, mid, level]));
      assert.deepEqual(plain(first), [
        [
          ["p", "a", 90],
          ["q", "a", 60],
        ],
        [["r", "a", 100]],
      ]);
      levels({ p: 92, q: 59, r: 100 });
      await world.pass(1_000);
      assert.equal(told.length, 1, "noise is no change");
      levels({ p: 2, q: 64 });
      await world.pass(100);
      levels({ p: 0 });
      await world.grant({ sessionId: "q", revision: 2n, closed: true });
      await world.pass(1_000);
      assert.deepEqual(told.slice(1).map(plain), [
        [
          [
            ["p", "a", 2],
            ["q", "a", 64],
          ],
        ],
        [[["p", "a", 0]]],
      ]);
    });

    it("counts", async () => {
      await world.grant({ sessionId: "p", receives: [videoTrack(7)], slots: [videoSlot()] });
      await world.connect("p");
      assert.equal(world.metrics.read("parley_media_sessions", "connected"), 1);
      assert.equal(world.metrics.read("parley_media_tracks"), 1);
      assert.equal(world.metrics.read("parley_media_slots"), 1);
      assert.equal(world.metrics.read("parley_media_grants_total", "open"), 1);
    });
  });
});
