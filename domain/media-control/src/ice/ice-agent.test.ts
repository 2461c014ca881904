import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IceGrant } from "../negotiation/grant-parts.ts";
import { makePath } from "../path-address.ts";
import type { PathAddress } from "../ports.ts";
import { DEFAULT_ICE_AGENT_OPTIONS, IceAgent, type IceOutput } from "./ice-agent.ts";
import { type StunMessageToWrite, hasValidIntegrity, parseStun, writeStun } from "./stun-message.ts";

const ice: IceGrant = {
  localUfrag: "locallocallocallocaluf1",
  localPassword: "localpasswordlocalpasswordlocal1",
  remoteUfrag: "remo",
  remotePassword: "remotepasswordremotepassw",
  previousLocalUfrag: "",
  previousLocalPassword: "",
  previousRemoteUfrag: "",
};

const restarted: IceGrant = {
  localUfrag: "locallocallocallocaluf2",
  localPassword: "localpasswordlocalpasswordlocal2",
  remoteUfrag: "rem2",
  remotePassword: "remotepasswordremotepass2",
  previousLocalUfrag: ice.localUfrag,
  previousLocalPassword: ice.localPassword,
  previousRemoteUfrag: ice.remoteUfrag,
};

function pathOf(port: number): PathAddress {
  return makePath({
    protocol: "udp",
    family: "IPv4",
    worker: 0,
    remoteIp: new Uint8Array([192, 0, 2, 7]),
    remotePort: port,
    localIp: new Uint8Array([192, 0, 2, 1]),
    localPort: 3478,
    connection: 0,
    bind: 0,
    scopeId: 0,
  });
}

const transactionId = new Uint8Array(12).fill(9);

function check(credentials: IceGrant, more: Partial<StunMessageToWrite> = {}): Uint8Array {
  const { localUfrag, remoteUfrag, localPassword } = credentials;
  const base = { class: "request", transactionId, priority: 1000, iceControlling: 1n } as const;
  return writeStun({ ...base, username: `${localUfrag}:${remoteUfrag}`, ...more }, localPassword);
}

function started(): IceAgent {
  const agent = new IceAgent();
  agent.handle({ type: "credentials", ice }, 0);
  return agent;
}

const typesOf = (outputs: readonly IceOutput[]): string[] => outputs.map(({ type }) => type);

/** The one answer among the outputs. */
function answerOf(outputs: readonly IceOutput[]): Uint8Array {
  const sends = outputs.filter((output) => output.type === "send");
  assert.equal(sends.length, 1);
  return (sends[0] as { datagram: Uint8Array }).datagram;
}

describe("ICE-lite agent", () => {
  it("learns the path of a first check and answers with the address it saw", () => {
    const agent = started();
    const outputs = agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice) }, 10);
    assert.deepEqual(typesOf(outputs), ["add-path", "send"]);
    const datagram = answerOf(outputs);
    const answer = parseStun(datagram);
    assert.equal(answer?.class, "success");
    assert.deepEqual(answer.xorMappedAddress, { ip: new Uint8Array([192, 0, 2, 7]), port: 5000 });
    assert.deepEqual([...answer.transactionId], [...transactionId]);
    assert.ok(hasValidIntegrity(datagram, answer, ice.localPassword));
    assert.equal(agent.state, "checking");
  });

  it("selects what is nominated, and answers a repeated check without doing it again", () => {
    const agent = started();
    const nominate = { type: "check", address: pathOf(5000), datagram: check(ice, { useCandidate: true }) } as const;
    assert.deepEqual(typesOf(agent.handle(nominate, 10)), ["add-path", "send", "select-path"]);
    assert.deepEqual(typesOf(agent.handle(nominate, 20)), ["send"]);
    assert.equal(agent.state, "connected");
  });

  it("says nothing to a wrong password, another's user name, a missing one, or none that is a request", () => {
    const agent = started();
    const bad = [
      writeStun({ class: "request", transactionId, username: `${ice.localUfrag}:remo` }, "wrong"),
      writeStun({ class: "request", transactionId, username: `${ice.localUfrag}:remo` }, undefined),
      check(ice, { username: `${ice.localUfrag}:other` }),
      check(ice, { username: ice.localUfrag }),
      check(ice, { class: "indication" }),
      check(restarted),
      new Uint8Array([1, 2, 3]),
    ];
    for (const datagram of bad) {
      assert.deepEqual(agent.handle({ type: "check", address: pathOf(5000), datagram }, 10), []);
    }
    assert.equal(agent.rejectedChecks, bad.length);
    assert.equal(agent.state, "new");
  });

  it("tells a controlled client of the role conflict (487), and takes it once it controls", () => {
    const agent = started();
    const { iceControlling: _, ...controlled } = { iceControlling: 0n, iceControlled: 5n };
    const datagram = writeStun(
      { class: "request", transactionId, username: `${ice.localUfrag}:remo`, priority: 1, ...controlled },
      ice.localPassword,
    );
    const outputs = agent.handle({ type: "check", address: pathOf(5000), datagram }, 10);
    assert.deepEqual(typesOf(outputs), ["send"]);
    assert.equal(parseStun(answerOf(outputs))?.errorCode, 487);
    assert.equal(agent.state, "new");
    agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice, { useCandidate: true }) }, 20);
    assert.equal(agent.state, "connected");
  });

  it("follows the client to a new address in mid-session", () => {
    const agent = started();
    agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice, { useCandidate: true }) }, 10);
    const outputs = agent.handle(
      { type: "check", address: pathOf(6000), datagram: check(ice, { useCandidate: true }) },
      5000,
    );
    assert.deepEqual(typesOf(outputs), ["add-path", "send", "select-path"]);
    assert.deepEqual(agent.selectedPath, pathOf(6000));
  });

  it("follows a nomination the data plane answered, back and forth, but not for ever", () => {
    const agent = started();
    for (const [port, priority] of [
      [5000, 2000],
      [6000, 1000],
    ] as const) {
      agent.handle(
        { type: "check", address: pathOf(port), datagram: check(ice, { useCandidate: true, priority }) },
        10,
      );
    }
    const switches: number[] = [];
    for (let step = 0; step < 20; step += 1) {
      const address = pathOf(step % 2 === 0 ? 5000 : 6000);
      if (agent.handle({ type: "nominated", address }, 100 + step * 100).length > 0) switches.push(step);
    }
    assert.ok(switches.length <= 5, `switched ${switches.length} times`);
    assert.deepEqual(agent.selectedPath, pathOf(5000), "an aggressive client stays on its best path");
    // Later the client may change its mind again.
    assert.deepEqual(typesOf(agent.handle({ type: "nominated", address: pathOf(6000) }, 60_000)), ["select-path"]);
  });

  it("keeps at most eight paths, never dropping the selected one", () => {
    const agent = started();
    agent.handle({ type: "check", address: pathOf(1), datagram: check(ice, { useCandidate: true }) }, 0);
    for (let port = 2; port < 30; port += 1) {
      agent.handle({ type: "check", address: pathOf(port), datagram: check(ice) }, port);
    }
    assert.equal(agent.pathCount, DEFAULT_ICE_AGENT_OPTIONS.maxPaths);
    assert.deepEqual(agent.selectedPath, pathOf(1));
  });

  it("uses the path DTLS comes by when nothing is nominated yet", () => {
    const agent = started();
    agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice) }, 0);
    assert.deepEqual(typesOf(agent.handle({ type: "used", address: pathOf(5000) }, 1)), ["select-path"]);
    assert.deepEqual(agent.handle({ type: "used", address: pathOf(7000) }, 2), []);
  });

  describe("consent (RFC 7675)", () => {
    it("runs out after 30 s without a check", () => {
      const agent = started();
      agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice, { useCandidate: true }) }, 0);
      agent.handle({ type: "consent", ageMs: 500 }, 29_000);
      agent.handle({ type: "tick" }, 58_000);
      assert.equal(agent.state, "connected");
      agent.handle({ type: "tick" }, 58_500);
      assert.equal(agent.state, "failed");
      assert.deepEqual(agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice) }, 58_600), []);
    });

    it("an old reading does not shorten it, a client that never came has as long", () => {
      const agent = started();
      agent.handle({ type: "consent", ageMs: undefined }, 29_999);
      assert.equal(agent.state, "new");
      agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice) }, 29_999);
      agent.handle({ type: "consent", ageMs: 29_000 }, 30_000);
      agent.handle({ type: "tick" }, 59_998);
      assert.equal(agent.state, "checking");
      const late = started();
      late.handle({ type: "tick" }, 30_000);
      assert.equal(late.state, "failed");
    });
  });

  describe("restart (RFC 8445 9)", () => {
    function restartedAgent(): IceAgent {
      const agent = started();
      agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice, { useCandidate: true }) }, 0);
      const outputs = agent.handle({ type: "credentials", ice: restarted }, 1000);
      assert.deepEqual(typesOf(outputs), ["restart-ice"]);
      return agent;
    }

    it("answers both generations, each with its own password, until one of the new is nominated", () => {
      const agent = restartedAgent();
      const old = agent.handle(
        { type: "check", address: pathOf(5001), datagram: check(ice, { useCandidate: true }) },
        1100,
      );
      assert.deepEqual(typesOf(old), ["add-path", "send"], "an old nomination does not take the session over");
      const answer = answerOf(old);
      assert.ok(hasValidIntegrity(answer, parseStun(answer)!, ice.localPassword));
      const now = agent.handle(
        { type: "check", address: pathOf(6000), datagram: check(restarted, { useCandidate: true }) },
        1200,
      );
      assert.deepEqual(typesOf(now), ["add-path", "send", "select-path", "retire-previous-ice"]);
      assert.deepEqual(agent.handle({ type: "check", address: pathOf(5002), datagram: check(ice) }, 1300), []);
    });

    it("retires the old generation by time when the path stays the same", () => {
      const agent = restartedAgent();
      assert.deepEqual(agent.handle({ type: "consent", ageMs: 0 }, 30_999), []);
      assert.deepEqual(typesOf(agent.handle({ type: "consent", ageMs: 0 }, 31_000)), ["retire-previous-ice"]);
      assert.deepEqual(agent.handle({ type: "consent", ageMs: 0 }, 32_000), []);
    });

    it("the same credentials again are no restart", () => {
      const agent = restartedAgent();
      assert.deepEqual(agent.handle({ type: "credentials", ice: restarted }, 2000), []);
    });

    it("takes a client whose new ufrag is not known yet", () => {
      const agent = started();
      const unknown = { ...restarted, remoteUfrag: "" };
      agent.handle({ type: "credentials", ice: unknown }, 0);
      const datagram = check(restarted, { username: `${restarted.localUfrag}:any`, useCandidate: true });
      assert.equal(
        typesOf(agent.handle({ type: "check", address: pathOf(1), datagram }, 1)).includes("select-path"),
        true,
      );
    });
  });

  it("a closed TCP path is forgotten; the next nomination is followed", () => {
    const agent = started();
    agent.handle({ type: "check", address: pathOf(5000), datagram: check(ice, { useCandidate: true }) }, 0);
    agent.handle({ type: "path-closed", address: pathOf(5000) }, 10);
    assert.equal(agent.selectedPath, undefined);
    const again = agent.handle(
      { type: "check", address: pathOf(5000), datagram: check(ice, { useCandidate: true }) },
      20,
    );
    assert.deepEqual(typesOf(again), ["add-path", "send", "select-path"]);
  });
});
