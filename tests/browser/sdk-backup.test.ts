import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { personOfColour, startChromium, startParley, until, type Chromium, type ParleyProcess } from "@parley/testing";
import { SdkPage } from "../sdk-stage.ts";

/** A publisher prefers a codec that one of the viewers lacks: that one is told, the publisher sends a backup, the picture comes. */

const limit = { timeout: 60_000 };
let server: ParleyProcess;
let chromium: Chromium;

before(async () => {
  server = await startParley();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  const code = await server?.stop();
  assert.equal(code, 0, server?.lines().slice(-20).join("\n"));
});

/** What a browser without VP9 would say of itself; everything else is as it is. */
const withoutVp9 = `(() => {
  const all = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
  RTCRtpReceiver.getCapabilities = (kind) => {
    const { codecs, ...rest } = all(kind);
    return { ...rest, codecs: codecs.filter(({ mimeType }) => mimeType !== "video/VP9") };
  };
})()`;

/** Codecs of the pictures that flow now. */
const videoCodecs = (direction: string): string => `(async () => {
  await room.getStats();
  await new Promise((resolve) => setTimeout(resolve, 500));
  return (await room.getStats()).tracks
    .filter((track) => track.kind === "video" && track.direction === "${direction}" && track.bitrateBps > 0)
    .map(({ codec }) => codec).toSorted();
})()`;

for (const source of ["camera", "custom"] as const) {
  test(`[SIG-6] ${source}: who lacks the codec gets a backup, the others what is preferred`, limit, async () => {
    const room = `backup-${source}`;
    const token = await server.token({ room, publish: true, subscribe: true });
    const [anna, ben, carla] = [
      await SdkPage.open(chromium),
      await SdkPage.open(chromium),
      await SdkPage.open(chromium),
    ];
    const join = (page: SdkPage, name: string, options: object = {}): Promise<unknown> =>
      page.join({ name, url: server.url, token, room, options });
    await join(anna, "anna", { receive: false, publishDefaults: { videoCodec: "VP9" } });
    await carla.client.page.evaluate(withoutVp9);
    await join(ben, "ben");
    await join(carla, "carla");
    const media = await anna.makeMedia("anna");
    await anna.room(
      "anna",
      `void (await room.localParticipant.publishTrack(parleyTest.medias.get(${media}).stream.getVideoTracks()[0],
        { source: "${source}", stream: "shown" }))`,
    );
    for (const [page, viewer] of [
      [ben, "ben"],
      [carla, "carla"],
    ] as const) {
      let last: unknown;
      const places = new Set<number>();
      await until(
        async () => {
          const tiles = await page.tiles(viewer);
          last = { tiles, state: await page.state(viewer) };
          assert.ok(tiles.length <= 1, "a backup is no second picture");
          const picture = tiles[0]?.isShown === true ? tiles[0].picture : null;
          if (picture === null || personOfColour(picture.colour) !== "anna" || picture.barX === null) return false;
          places.add(Math.round(picture.barX));
          return places.size >= 3;
        },
        { what: `${viewer} sees anna`, deadlineMs: 10_000, describe: () => last },
      );
    }
    assert.deepEqual(await ben.room("ben", videoCodecs("receive")), ["VP9"]);
    assert.deepEqual(await carla.room("carla", videoCodecs("receive")), ["VP8"]);
    assert.deepEqual(await anna.room("anna", videoCodecs("send")), ["VP8", "VP9"]);
    const failed = (await carla.state("carla")).events.filter((event) => event.startsWith("trackSubscriptionFailed"));
    assert.ok(
      failed.some((event) => event.endsWith("codec-not-accepted")),
      "and was told why it had to wait",
    );
    const { local } = await anna.state("anna");
    assert.deepEqual(
      local.map((one) => one.source),
      [source],
      "the backup is no publication of its own",
    );
    // Muting means both.
    await anna.room("anna", `room.localParticipant.getPublication("${source}").mute()`);
    await until(async () => (await carla.state("carla")).publications.every(({ muted }) => muted), {
      what: "carla is told",
      deadlineMs: 3_000,
    });
    await anna.room("anna", `room.localParticipant.getPublication("${source}").unmute()`);
    await carla.leave("carla");
    await until(async () => (await anna.room<string[]>("anna", videoCodecs("send"))).join() === "VP9", {
      what: "nobody needs the backup any more",
      deadlineMs: 5_000,
    });
  });
}
