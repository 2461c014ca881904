export type H264Profile =
  | "constrained-baseline"
  | "baseline"
  | "main"
  | "constrained-high"
  | "high"
  | "high-444"
  | "unknown";

/**
 * The profile of a profile-level-id (RFC 6184 8.1, table 5), from profile_idc and the constraint flags of profile-iop.
 */
export function h264Profile(profileLevelId: string | undefined): H264Profile {
  const text = profileLevelId ?? "42000A";
  if (!/^[0-9A-Fa-f]{6}$/.test(text)) return "unknown";
  const idc = Number.parseInt(text.slice(0, 2), 16);
  const flags = Number.parseInt(text.slice(2, 4), 16);
  const set = (bit: number): boolean => (flags & (0x80 >> bit)) !== 0;
  switch (idc) {
    case 0x42:
      return set(1) ? "constrained-baseline" : "baseline";
    case 0x4d:
      return set(0) ? "constrained-baseline" : "main";
    case 0x58:
      // Extended with both flags of Baseline and Main is Constrained Baseline; alone it is nothing browsers speak.
      return set(0) && set(1) ? "constrained-baseline" : set(0) ? "baseline" : "unknown";
    case 0x64:
      return set(4) && set(5) ? "constrained-high" : "high";
    case 0xf4:
      return "high-444";
    default:
      return "unknown";
  }
}
