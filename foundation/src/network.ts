/**
 * What counts as one client's network when addresses are limited: an IPv4 address, or the /64 that one IPv6 customer has at least. Text in, text
 * out; the result is a key, not an address.
 */
export function networkOf(ip: string): string {
  if (!ip.includes(":") || ip.startsWith("::ffff:")) return ip;
  const [head = "", tail] = ip.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups =
    tail === undefined
      ? before
      : [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0"), ...after];
  return groups.slice(0, 4).join(":");
}
