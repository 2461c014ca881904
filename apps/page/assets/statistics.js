/**
 * What the page shows of a PeerConnection, and what tells whether it is alive.
 *
 * @typedef {object} Statistics
 * @property {number} atMs
 * @property {number} receivedUnits grows whenever anything arrives: bytes of the transport plus answers to ICE checks
 * @property {number} mediaBytes of our direction: sent for a publisher, received for a viewer
 * @property {number} bitrateBps
 * @property {number | undefined} width
 * @property {number | undefined} height
 * @property {number | undefined} framesPerSecond
 * @property {number | undefined} rttMs
 * @property {string | undefined} codec
 * @property {"udp" | "tcp" | undefined} transport
 */

/**
 * @param {RTCPeerConnection} peer
 * @param {"publish" | "watch"} kind
 * @param {Statistics | undefined} previous of the same PeerConnection, for rates
 * @returns {Promise<Statistics>}
 */
export async function collectStatistics(peer, kind, previous) {
  const report = await peer.getStats();
  const atMs = performance.now();
  let receivedUnits = 0;
  let mediaBytes = 0;
  let video;
  let pair;
  for (const entry of report.values()) {
    if (entry.type === "transport") {
      receivedUnits += entry.bytesReceived ?? 0;
      pair = report.get(entry.selectedCandidatePairId) ?? pair;
    } else if (entry.type === "candidate-pair") {
      receivedUnits += entry.responsesReceived ?? 0;
      // Firefox has no transport entries: there the pair in use says so itself.
      if (pair === undefined && entry.nominated === true && entry.state === "succeeded") pair = entry;
    } else if (entry.type === (kind === "publish" ? "outbound-rtp" : "inbound-rtp")) {
      mediaBytes += (kind === "publish" ? entry.bytesSent : entry.bytesReceived) ?? 0;
      if (entry.kind === "video" && (video === undefined || (entry.frameWidth ?? 0) > (video.frameWidth ?? 0)))
        video = entry;
    }
  }
  if (receivedUnits === 0 && pair !== undefined) receivedUnits = pair.bytesReceived ?? 0;
  const seconds = previous === undefined ? 0 : (atMs - previous.atMs) / 1000;
  const codec = video === undefined ? undefined : report.get(video.codecId)?.mimeType?.split("/")[1];
  const protocol = pair === undefined ? undefined : report.get(pair.localCandidateId)?.protocol;
  // Samples come every 250 ms; a picture's size makes a rate over so short a time jump, so it is smoothed.
  const rateBps = previous === undefined || seconds <= 0 ? 0 : ((mediaBytes - previous.mediaBytes) * 8) / seconds;
  return {
    atMs,
    receivedUnits,
    mediaBytes,
    bitrateBps:
      previous === undefined ? 0 : previous.bitrateBps === 0 ? rateBps : previous.bitrateBps * 0.75 + rateBps * 0.25,
    width: video?.frameWidth,
    height: video?.frameHeight,
    framesPerSecond: video?.framesPerSecond,
    rttMs: typeof pair?.currentRoundTripTime === "number" ? pair.currentRoundTripTime * 1000 : undefined,
    codec,
    transport: protocol,
  };
}

/** @param {number} bitrateBps */
export function formatBitrate(bitrateBps) {
  if (bitrateBps >= 1_000_000) return `${(bitrateBps / 1_000_000).toFixed(1)} Mb/s`;
  return `${Math.round(bitrateBps / 1000)} kb/s`;
}

/** @param {Statistics} statistics the figures as short texts, in the order they are shown */
export function describeStatistics(statistics) {
  const { width, height, framesPerSecond, rttMs, codec, transport } = statistics;
  return {
    resolution: width === undefined || height === undefined ? "–" : `${width} × ${height}`,
    frames: framesPerSecond === undefined ? "–" : `${Math.round(framesPerSecond)} fps`,
    bitrate: formatBitrate(statistics.bitrateBps),
    rtt: rttMs === undefined ? "–" : rttMs < 1 ? "< 1 ms" : `${Math.round(rttMs)} ms`,
    codec: codec ?? "–",
    transport: transport === undefined ? "–" : transport.toUpperCase(),
  };
}
