import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type Socket, createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import {
  type IceCredentials,
  type MediaPlaneEvent,
  type PathAddress,
  type PeerHandle,
  type SlotHandle,
  type TrackHandle,
  describePath,
  mintIceCredentials,
  parseStun,
  writeStun,
} from "@parley/domain-media-control";
import { MediaKind } from "@parley/protocol";
import { SeededRandom } from "@parley/testing";
import { type NativeMediaPlane, type NativePlaneOptions, startNativePlane } from "./native-media-plane.ts";

const ufragKey = new Uint8Array(16).fill(9);
const random = new SeededRandom(7);

function start(options: Partial<NativePlaneOptions> = {}): NativeMediaPlane {
  return startNativePlane({ udpPort: 0, tcpPort: 0, bind: ["127.0.0.1"], threads: 1, ufragKey, ...options });
}

function portOf(plane: NativeMediaPlane, protocol: "udp" | "tcp"): number {
  const endpoint = plane.endpoints.find((each) => each.protocol === protocol);
  assert.ok(endpoint !== undefined);
  return endpoint.port;
}

function check(ice: IceCredentials): Uint8Array {
  return writeStun(
    {
      class: "request",
      transactionId: randomBytes(12),
      username: `${ice.ufrag}:theirs`,
      priority: 1,
      useCandidate: true,
      iceControlling: 5n,
    },
    ice.password,
  );
}

/** The next event of a type. */
function eventOf<Type extends MediaPlaneEvent["type"]>(
  plane: NativeMediaPlane,
  type: Type,
): Promise<Extract<MediaPlaneEvent, { type: Type }>> {
  return new Promise((resolve) => {
    plane.onEvents((events) => {
      for (const event of events) {
        if (event.type === type) resolve(event as Extract<MediaPlaneEvent, { type: Type }>);
      }
    });
  });
}

async function udpClient(plane: NativeMediaPlane): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.connect(portOf(plane, "udp"), "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

test("[MED-4] a check with a genuine ufrag goes up; what is sent to its address comes back; then it is answered natively", async () => {
  const plane = start();
  const socket = await udpClient(plane);
  try {
    const ice = mintIceCredentials(ufragKey, random);
    const rising = eventOf(plane, "stun");
    socket.send(check(ice));
    const { address, datagram } = await rising;
    assert.equal(parseStun(datagram)?.username, `${ice.ufrag}:theirs`);
    const path = describePath(address);
    assert.equal(path?.remotePort, socket.address().port);
    assert.equal(path?.localPort, portOf(plane, "udp"));

    let arriving = once(socket, "message");
    plane.sendTo(address, Buffer.from("hello"));
    assert.equal(String((await arriving)[0]), "hello");

    const peer = plane.openPeer({
      ice: { localUfrag: ice.ufrag, localPassword: ice.password, remoteUfrag: "theirs" },
    });
    plane.addPath(peer, address);
    const nominated = eventOf(plane, "nominated");
    // The path may be known a little later than the check arrives: then the check goes up once more.
    await until(async () => {
      arriving = once(socket, "message");
      socket.send(check(ice));
      return Promise.race([arriving.then(() => true), pause(20).then(() => false)]);
    });
    assert.deepEqual((await nominated).peer, peer);
    plane.selectPath(peer, address);
    await until(() => (plane.peerCounters(peer)?.lastConsentMonoMs ?? 0) > 0);
    assert.ok(plane.nowMs() - (plane.peerCounters(peer)?.lastConsentMonoMs ?? 0) < 5_000);
    plane.closePeer(peer);
    assert.equal(plane.peerCounters(peer), undefined);
  } finally {
    socket.close();
    await plane.close();
  }
});

test("[MED-4] TCP: checks go up with a connection of their own, and its end is told", async () => {
  const plane = start();
  try {
    const ice = mintIceCredentials(ufragKey, random);
    const rising = eventOf(plane, "stun");
    const socket = connect(portOf(plane, "tcp"), "127.0.0.1");
    await once(socket, "connect");
    const datagram = check(ice);
    const frame = Buffer.concat([Uint8Array.of(datagram.length >> 8, datagram.length & 255), datagram]);
    // In pieces: framing must not depend on how the bytes come.
    socket.write(frame.subarray(0, 1));
    await pause(5);
    socket.write(frame.subarray(1));
    const { address } = await rising;
    assert.equal(describePath(address)?.protocol, "tcp");
    const peer = plane.openPeer({ ice: { localUfrag: ice.ufrag, localPassword: ice.password, remoteUfrag: "" } });
    plane.addPath(peer, address);
    plane.selectPath(peer, address);
    await pause(20);
    const closed = eventOf(plane, "path-closed");
    socket.destroy();
    assert.equal((await closed).peer, peer);
  } finally {
    await plane.close();
  }
});

test("strangers and forged ufrags are counted and raise no event", async () => {
  const plane = start();
  const socket = await udpClient(plane);
  let events = 0;
  plane.onEvents((batch) => (events += batch.length));
  try {
    for (let index = 0; index < 10; index++) {
      socket.send(Buffer.concat([Uint8Array.of(0x80, 96), randomBytes(50)]));
      socket.send(check(mintIceCredentials(new Uint8Array(16).fill(1), random)));
    }
    await until(() => plane.counters.strangers === 10 && plane.counters.forgedUfrags === 10);
    assert.equal(events, 0);
    assert.equal(plane.counters.txDatagrams, 0);
  } finally {
    socket.close();
    await plane.close();
  }
});

test("random datagrams and random commands harm nobody", async () => {
  const plane = start({ threads: 2 });
  const socket = await udpClient(plane);
  const handles: number[] = [0, -1, 1.5, Number.NaN, 2 ** 53];
  const pick = (): number => handles[random.uint32() % handles.length] ?? 0;
  const paths: PathAddress[] = [random.bytes(52) as PathAddress, random.bytes(7) as PathAddress];
  plane.onEvents((events) => {
    for (const event of events) if (event.type === "stun" && paths.length < 20) paths.push(event.address);
  });
  try {
    for (let step = 0; step < 2_000; step++) {
      const path = paths[random.uint32() % paths.length] as PathAddress;
      switch (random.uint32() % 12) {
        case 0: {
          const ice = mintIceCredentials(ufragKey, random);
          const options = { localUfrag: ice.ufrag, localPassword: ice.password, remoteUfrag: "" };
          handles.push(plane.openPeer({ ice: options }));
          socket.send(check(ice));
          break;
        }
        case 1:
          plane.addPath(pick() as PeerHandle, path);
          break;
        case 2:
          plane.selectPath(pick() as PeerHandle, path);
          break;
        case 3:
          handles.push(
            plane.openTrack(pick() as PeerHandle, {
              mid: "0",
              kind: MediaKind.VIDEO,
              streamId: 1,
              payloadTypes: [96, 300],
              encodings: [{ ssrc: 1, rtxSsrc: 2, rid: "" }],
              keyFrameIntervalMs: 100,
            }),
          );
          break;
        case 4:
          handles.push(
            plane.openSlot(pick() as PeerHandle, {
              mid: "a mid that is longer than an extension can be",
              kind: MediaKind.VIDEO,
              ssrc: 5,
              rtxSsrc: 6,
              clockRateHz: 0,
            }),
          );
          break;
        case 5:
          plane.bindSlot(pick() as SlotHandle, pick() as TrackHandle, [{ from: 96, to: 96 }]);
          break;
        case 6:
          plane.closeTrack(pick() as TrackHandle);
          break;
        case 7:
          plane.closeSlot(pick() as SlotHandle);
          break;
        case 8:
          plane.closePeer(pick() as PeerHandle);
          break;
        case 9:
          plane.requestKeyFrame(pick() as TrackHandle);
          plane.setTrackPaused(pick() as TrackHandle, (step & 1) === 0);
          break;
        case 10:
          plane.sendTo(path, random.bytes(random.uint32() % 100));
          break;
        default:
          socket.send(random.bytes(1 + (random.uint32() % 1500)));
      }
      if (step % 50 === 0) await pause(1);
    }
    // Still there: a genuine check goes up.
    const rising = eventOf(plane, "stun");
    const ice = mintIceCredentials(ufragKey, random);
    await until(() => {
      socket.send(check(ice));
      return Promise.race([rising.then(() => true), pause(20).then(() => false)]);
    });
    assert.ok(plane.counters.staleCommands > 0);
  } finally {
    socket.close();
    await plane.close();
  }
});

test("an address that cannot be bound is an error that names it", () => {
  assert.throws(() => start({ bind: ["192.0.2.77"] }), /192\.0\.2\.77/);
  assert.throws(() => start({ bind: ["localhost"] }), /localhost/);
  assert.throws(() => start({ ufragKey: new Uint8Array(3) }), /16 bytes/);
});

test("after close every call is a no-op and no event comes", async () => {
  const plane = start();
  const socket = await udpClient(plane);
  let events = 0;
  plane.onEvents(() => events++);
  await plane.close();
  await plane.close();
  socket.on("error", () => {});
  socket.send(check(mintIceCredentials(ufragKey, random)));
  assert.equal(plane.openPeer({ ice: { localUfrag: "", localPassword: "", remoteUfrag: "" } }), 0);
  plane.closePeer(5 as PeerHandle);
  plane.sendTo(new Uint8Array(52) as PathAddress, new Uint8Array(4));
  assert.equal(plane.peerCounters(5 as PeerHandle), undefined);
  assert.equal(typeof plane.counters.rxDatagrams, "number");
  await pause(20);
  assert.equal(events, 0);
  socket.close();
});

// A program whose plane is busy: it sends to itself as fast as it can, and ends in the way its argument names.
const busyProgram = `
  import { createSocket } from "node:dgram";
  import { startNativePlane } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
  const plane = startNativePlane({
    udpPort: 0, tcpPort: 0, bind: ["127.0.0.1"], threads: 2, ufragKey: new Uint8Array(16),
  });
  plane.onEvents(() => {});
  const socket = createSocket("udp4");
  const port = plane.endpoints[0].port;
  const flood = setInterval(() => { for (let i = 0; i < 50; i++) socket.send(Buffer.alloc(100, 128), port, "127.0.0.1"); }, 1);
  setTimeout(async () => {
    if (HOW === "exit") process.exit(3);
    if (HOW === "throw") throw new Error("on purpose");
    clearInterval(flood);
    socket.close();
    if (HOW === "close") await plane.close();
  }, 100);
`;

for (const [how, code] of [
  ["exit", 3],
  ["throw", 1],
  ["close", 0],
] as const) {
  test(`a process that ends by ${how} under traffic ends by itself, with its own code`, async () => {
    const child = spawn(
      process.execPath,
      ["--input-type=module", "-e", busyProgram.replaceAll("HOW", JSON.stringify(how))],
      { stdio: "ignore", cwd: fileURLToPath(new URL("../../..", import.meta.url)) },
    );
    const [exitCode, signal] = (await once(child, "exit")) as [number | null, string | null];
    assert.deepEqual([exitCode, signal], [code, null]);
  });
}

test("a worker thread may have a plane of its own, and be terminated with it", async () => {
  const worker = new Worker(
    `import { startNativePlane } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
     import { parentPort } from "node:worker_threads";
     const plane = startNativePlane({ udpPort: 0, tcpPort: 0, bind: ["127.0.0.1"], threads: 1, ufragKey: new Uint8Array(16) });
     parentPort.postMessage(plane.endpoints.length);`,
    { eval: true, execArgv: ["--input-type=module"] },
  );
  const [endpoints] = (await once(worker, "message")) as [number];
  assert.equal(endpoints, 2);
  await worker.terminate();
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (!(await done())) {
    assert.ok(performance.now() < end, "waited in vain");
    await pause(2);
  }
}
