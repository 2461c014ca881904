import { isIP } from "node:net";
import { err } from "@parley/foundation";
import { flag, integer, listOf, oneOf, section, sections, text, type Field, type SectionValue } from "./fields.ts";

export const roleNames = ["api", "gateway", "media", "signaling"] as const;
export type RoleName = (typeof roleNames)[number];

const ipAddress: Field<string> = {
  ...text(),
  read: (input) => (typeof input === "string" && isIP(input) !== 0 ? { ok: true, value: input } : err("an IP address")),
};

/** Every setting with its default. `config.sample.yaml` documents them; a test keeps the two in step. */
export const schema = section({
  roles: listOf(oneOf(roleNames, "api"), roleNames),
  http: section({
    host: text("127.0.0.1"),
    port: integer(7880, 0, 65_535),
    publicUrl: text("", { form: /^https?:\/\/[^\s/]+$/, description: "an origin such as https://rtc.example.org" }),
    corsOrigins: listOf(text(), ["*"]),
    tls: section({ certFile: text(), keyFile: text() }),
  }),
  media: section({
    udpPort: integer(7882, 0, 65_535),
    tcpPort: integer(7882, -1, 65_535),
    bind: listOf(ipAddress, []),
    announce: listOf(ipAddress, []),
    threads: integer(0, 0, 64),
    scheduling: oneOf(["auto", "normal"], "auto"),
    udpSegmentation: flag(true),
    ufragKey: text("", { form: /^[0-9a-fA-F]{32}$/, description: "32 hexadecimal digits" }),
    keyFrameIntervalMs: integer(500, 50, 10_000),
  }),
  iceServers: sections(section({ url: text(), username: text(), credential: text() }), (given) =>
    given
      .split(",")
      .filter((part) => part.trim() !== "")
      .map((part) => ({ url: part.trim() })),
  ),
  apps: sections(section({ id: text(), key: text(), secret: text() }), (given) =>
    given
      .split(",")
      .filter((part) => part.trim() !== "")
      .map((part) => {
        const [key = "", ...secret] = part.trim().split(":");
        return { key, secret: secret.join(":") };
      }),
  ),
  limits: section({
    sessions: integer(10_000, 1, 1_000_000),
    sdpBytes: integer(65_536, 1_024, 1_048_576),
    tokenBytes: integer(4_096, 256, 16_384),
    joinsPerSecondPerAddress: integer(50, 1, 100_000),
  }),
  shutdown: section({ deadlineMs: integer(10_000, 0, 3_600_000) }),
  log: section({
    level: oneOf(["debug", "info", "warn", "error"], "info"),
    format: oneOf(["json", "text"], "json"),
  }),
});

export type Config = SectionValue<typeof schema>;
