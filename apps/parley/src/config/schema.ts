import { isIP } from "node:net";
import { err, isNetwork } from "@parley/foundation";
import { flag, integer, listOf, oneOf, section, sections, text, type Field, type SectionValue } from "./fields.ts";

export const roleNames = ["api", "gateway", "media", "signaling"] as const;
export type RoleName = (typeof roleNames)[number];

const ipAddress: Field<string> = {
  ...text(),
  read: (input) => (typeof input === "string" && isIP(input) !== 0 ? { ok: true, value: input } : err("an IP address")),
};

const network: Field<string> = {
  ...text(),
  read: (input) =>
    typeof input === "string" && isNetwork(input)
      ? { ok: true, value: input }
      : err("an IP address, or a network such as 10.0.0.0/8"),
};

/** Every setting with its default. `config.sample.yaml` documents them; a test keeps the two in step. */
export const schema = section({
  dataDir: text(),
  roles: listOf(oneOf(roleNames, "api"), roleNames),
  http: section({
    host: text("127.0.0.1"),
    port: integer(7880, 0, 65_535),
    publicUrl: text("", { form: /^https?:\/\/[^\s/]+$/, description: "an origin such as https://rtc.example.org" }),
    corsOrigins: listOf(text(), ["*"]),
    trustedProxies: listOf(network, []),
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
    sdpBytes: integer(262_144, 1_024, 1_048_576),
    tokenBytes: integer(4_096, 256, 16_384),
    joinsPerSecondPerAddress: integer(50, 1, 100_000),
    connections: integer(50_000, 1, 1_000_000),
    connectionsPerUser: integer(20, 1, 100_000),
    connectionsPerAddress: integer(2_000, 1, 1_000_000),
    connectingPerAddress: integer(200, 1, 1_000_000),
    frameBytes: integer(262_144, 16_384, 4_194_304),
    framesPerSecond: integer(500, 10, 100_000),
    requestsPerSecond: integer(50, 1, 10_000),
    pendingRequests: integer(128, 1, 10_000),
    offersPerSecondPerUser: integer(10, 1, 10_000),
    changesPerSecondPerUser: integer(20, 1, 10_000),
    dataMessageBytes: integer(15_000, 0, 65_536),
    dataMessagesPerSecond: integer(30, 1, 10_000),
    roomsPerConnection: integer(32, 1, 1_000),
    outboundQueueBytes: integer(1_048_576, 65_536, 67_108_864),
    outboundLossyBytes: integer(65_536, 4_096, 67_108_864),
  }),
  shutdown: section({ deadlineMs: integer(10_000, 0, 3_600_000) }),
  log: section({
    level: oneOf(["debug", "info", "warn", "error"], "info"),
    format: oneOf(["json", "text"], "json"),
  }),
});

export type Config = SectionValue<typeof schema>;
