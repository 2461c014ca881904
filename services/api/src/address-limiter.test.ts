import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressLimiter } from "./address-limiter.ts";

test("a burst, then a steady rate; every address by itself", () => {
  const limiter = new AddressLimiter(2, 3);
  const taken = [0, 0, 0, 0].map((nowMs) => limiter.take("192.0.2.1", nowMs));
  assert.deepEqual(taken, [0, 0, 0, 500]);
  assert.equal(limiter.take("192.0.2.2", 0), 0);
  assert.equal(limiter.take("192.0.2.1", 500), 0);
  assert.ok(limiter.take("192.0.2.1", 500) > 0);
});

test("addresses of one IPv6 /64 are one", () => {
  const limiter = new AddressLimiter(1, 1);
  assert.equal(limiter.take("2001:db8:1:2::1", 0), 0);
  assert.ok(limiter.take("2001:db8:1:2:3:4:5:6", 0) > 0);
  assert.equal(limiter.take("2001:db8:1:3::1", 0), 0);
  assert.equal(limiter.take("::1", 0), 0);
  assert.equal(limiter.take("::ffff:192.0.2.1", 0), 0);
  assert.equal(limiter.take("::ffff:192.0.2.2", 0), 0, "mapped IPv4 addresses are not one network");
});
