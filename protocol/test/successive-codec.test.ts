import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { SeededRandom, fuzzBudget, fuzzSeed, mutateBytes } from "@parley/testing";
import {
  BindingSchema,
  Codec,
  MediaKind,
  SessionGrantSchema,
  SlotSchema,
  SuccessiveCodec,
  type Encoded,
  type SessionGrant,
} from "../src/index.ts";

const codec = new SuccessiveCodec(SessionGrantSchema);

type GrantInit = Exclude<MessageInitShape<typeof SessionGrantSchema>, SessionGrant>;

function grantOf(init: GrantInit = {}): SessionGrant {
  const slots = ["0", "1", "2"].map((mid, index) => ({ mid, kind: MediaKind.VIDEO, ssrc: index + 1 }));
  return create(SessionGrantSchema, {
    ...{ appId: "app", roomId: "room", sessionId: "s", revision: 1n, nodeBootId: 2n ** 60n },
    ...{ ice: { localUfrag: "ufrag" }, codecs: [{ payloadType: 96, codec: Codec.VP8, fmtp: "x=y" }], slots },
    ownerState: Uint8Array.of(1, 2, 3),
    ...init,
  });
}

function encoded(message: SessionGrant, before?: Encoded<SessionGrant>): Encoded<SessionGrant> {
  return { message, bytes: codec.encode(message, before) };
}

function decoded(bytes: Uint8Array, before?: Encoded<SessionGrant>): Encoded<SessionGrant> {
  return { message: codec.decode(bytes, () => before), bytes };
}

test("what is the same is shared, what is not is as it was sent", () => {
  const first = encoded(grantOf());
  const [zero, one, two] = first.message.slots;
  assert.ok(zero && one && two);
  const binding = create(BindingSchema, { publisherSessionId: "p", publisherMid: "1", streamId: 7 });
  const other = { ...one, binding };
  const second = encoded({ ...first.message, revision: 2n, slots: [zero, other, two] }, first);
  const before = decoded(first.bytes);
  const after = decoded(second.bytes, before).message;
  assert.ok(equals(SessionGrantSchema, after, second.message));
  assert.equal(after.codecs, before.message.codecs);
  assert.equal(after.ice, before.message.ice);
  assert.equal(after.extensions, before.message.extensions, "empty lists are the same list, too");
  assert.deepEqual(
    after.slots.map((slot, index) => slot === before.message.slots[index]),
    [true, false, true],
  );
});

test("a part that is shared is not encoded again", () => {
  const first = encoded(grantOf());
  // Not allowed, and here the proof: nobody looked.
  const [slot] = first.message.slots;
  assert.ok(slot);
  slot.ssrc = 99;
  const second = codec.encode({ ...first.message, revision: 2n }, first);
  assert.equal(fromBinary(SessionGrantSchema, second).slots[0]?.ssrc, 1);
});

test("what comes before is asked for by the message's own fields", () => {
  const { bytes } = encoded(grantOf());
  let asked = "";
  codec.decode(bytes, ({ sessionId, revision }) => {
    asked = `${sessionId} ${revision}`;
    return undefined;
  });
  assert.equal(asked, "s 1");
});

test("reads what the library wrote, and the library reads this", () => {
  const grant = grantOf({ fence: { bucketId: "b", revision: 3n } });
  const before = decoded(encoded(grant).bytes);
  assert.ok(equals(SessionGrantSchema, decoded(toBinary(SessionGrantSchema, grant), before).message, grant));
  assert.ok(equals(SessionGrantSchema, fromBinary(SessionGrantSchema, encoded(grant).bytes), grant));
  const twice = Uint8Array.from([...encoded(grant).bytes, ...encoded(grant).bytes]);
  assert.ok(equals(SessionGrantSchema, decoded(twice, before).message, fromBinary(SessionGrantSchema, twice)));
});

test("fields of a later version go through", () => {
  const known = encoded(grantOf());
  // Field 99, a varint, between the message's own fields and its parts.
  const bytes = codec.encode({ ...known.message, $unknown: [{ no: 99, wireType: 0, data: Uint8Array.of(5) }] }, known);
  const { message } = decoded(bytes, decoded(known.bytes));
  assert.equal(message.$unknown?.[0]?.no, 99);
  assert.equal(message.slots.length, 3);
});

/** One of the changes that a revision has. */
function changed(grant: SessionGrant, random: SeededRandom): SessionGrant {
  const slots = grant.slots.map((slot) => {
    if (!random.chance(0.3)) return slot;
    const binding = random.chance(0.5) ? { publisherSessionId: "p", streamId: random.below(9) } : undefined;
    return create(SlotSchema, { mid: slot.mid, ssrc: slot.ssrc, ...(binding === undefined ? {} : { binding }) });
  });
  if (random.chance(0.2)) slots.splice(random.below(slots.length + 1), random.below(2));
  if (random.chance(0.2)) slots.splice(random.below(slots.length + 1), 0, create(SlotSchema, { mid: "new" }));
  const next = { ...grant, revision: grant.revision + 1n, slots };
  if (random.chance(0.2)) next.ownerState = random.bytes(random.below(300));
  if (random.chance(0.1)) next.codecs = random.chance(0.5) ? [] : grantOf().codecs;
  if (random.chance(0.1)) next.ice = grantOf({ ice: { localUfrag: String(random.below(100)) } }).ice;
  return next;
}

test("any sequence of revisions is read as the library reads it, with mutants and losses in between", () => {
  const random = new SeededRandom(fuzzSeed(3));
  const goesOn = fuzzBudget(300);
  for (let round = 0; goesOn(round); round += 1) {
    const hint = `seed ${random.seed}, round ${round}`;
    let sent = encoded(grantOf());
    let got = decoded(sent.bytes);
    for (let step = 0; step < 12; step += 1) {
      sent = encoded(changed(sent.message, random), sent);
      assert.ok(equals(SessionGrantSchema, fromBinary(SessionGrantSchema, sent.bytes), sent.message), hint);
      if (random.chance(0.2)) continue;
      const isMutant = random.chance(0.2);
      const bytes = isMutant ? mutateBytes(sent.bytes, random) : sent.bytes;
      const message = readOrNot(() => codec.decode(bytes, () => got));
      // Where a field has a wire type that is not its own, the library reads on at another place: nothing can be said of mutants.
      if (!isMutant) assert.ok(message !== undefined && equals(SessionGrantSchema, message, sent.message), hint);
      if (message === undefined) continue;
      got = { message, bytes };
    }
  }
});

function readOrNot(read: () => SessionGrant): SessionGrant | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
