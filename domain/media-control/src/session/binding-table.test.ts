import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BindingTable } from "./binding-table.ts";

const track = { sessionId: "p", mid: "v" };
const slot = { sessionId: "w", mid: "s" };
const other = { sessionId: "x", mid: "s" };

describe("binding table", () => {
  it("tells what is there now, and each change to all who want it", () => {
    const table = new BindingTable();
    assert.deepEqual(table.want(slot, track), [{ slot, track: undefined }]);
    assert.equal(table.waiting, 1);
    const [opened] = table.trackChanged(track, []);
    assert.deepEqual(opened?.slot, slot);
    assert.equal(table.waiting, 0);
    assert.deepEqual(table.want(other, track), [{ slot: other, track: opened?.track }]);
    assert.deepEqual(
      table.trackChanged(track, undefined).map((change) => [change.slot, change.track]),
      [
        [slot, undefined],
        [other, undefined],
      ],
    );
    assert.equal(table.waiting, 2);
  });

  it("another generation after closing, the same while only codecs change", () => {
    const table = new BindingTable();
    table.want(slot, track);
    const first = table.trackChanged(track, [])[0]?.track?.generation;
    assert.equal(table.trackChanged(track, [])[0]?.track?.generation, first);
    table.trackChanged(track, undefined);
    assert.notEqual(table.trackChanged(track, [])[0]?.track?.generation, first);
  });

  it("a slot wants one track at a time; a wish taken back is not met", () => {
    const table = new BindingTable();
    table.want(slot, track);
    table.want(slot, { sessionId: "q", mid: "v" });
    assert.deepEqual(table.trackChanged(track, []), []);
    assert.deepEqual(table.want(slot, undefined), []);
    assert.deepEqual(table.trackChanged({ sessionId: "q", mid: "v" }, []), []);
    assert.equal(table.waiting, 0);
    assert.deepEqual(table.trackChanged({ sessionId: "never", mid: "v" }, undefined), []);
  });
});
