/**
 * Runs in a page together with the SDK (global `ParleySdk`) and the test apparatus (`parleyTest`): rooms with one tile per remote
 * video, each under its participant's name. Everything hangs on `sdkTest`.
 */
"use strict";

globalThis.sdkTest = (() => {
  const { Room } = ParleySdk;
  const rooms = new Map();
  const log = [];
  // Several rooms of up to twelve tiles fit into the window: a tile below the fold would rightly not be received.
  document.head.append(
    Object.assign(document.createElement("style"), {
      textContent: "section { display: flex; flex-wrap: wrap } figure { margin: 0 } figure video { display: block }",
    }),
  );

  function tileOf(entry, publication, participant) {
    const tile = document.createElement("figure");
    const video = document.createElement("video");
    video.muted = true;
    video.playsInline = true;
    video.autoplay = true;
    video.width = 160;
    video.height = 90;
    video.id = `tile-${entry.name}-${participant.name}-${publication.source}`;
    tile.append(video, Object.assign(document.createElement("figcaption"), { textContent: participant.name }));
    tile.dataset.name = participant.name;
    entry.stage.append(tile);
    const detach = publication.attach(video);
    entry.tiles.set(publication.id, { tile, video, detach, participant, publication });
    entry.onTile?.(entry.tiles.get(publication.id));
  }

  /** Connects; resolves when in. `show`: makes a tile for every video, as most apps do. */
  async function join({ name, url, token, room, options = {}, show = true, media }) {
    const live = new Room(options);
    const stage = document.createElement("section");
    document.body.append(stage);
    const entry = { name, room: live, stage, tiles: new Map(), events: [], startedAtMs: performance.now() };
    rooms.set(name, entry);
    for (const event of Object.values(ParleySdk.RoomEvent)) {
      live.on(event, (...args) => {
        entry.events.push({
          event,
          atMs: performance.now(),
          what: args.map((one) => one?.code ?? one?.name ?? String(one)),
        });
      });
    }
    live.on("trackPublished", (publication, participant) => {
      if (show && publication.kind === "video") tileOf(entry, publication, participant);
    });
    live.on("trackUnpublished", (publication) => {
      const gone = entry.tiles.get(publication.id);
      gone?.detach();
      gone?.tile.remove();
      entry.tiles.delete(publication.id);
    });
    const tracks = media === undefined ? [] : tracksOf(media);
    await live.connect(url, token, { room, name, tracks });
    return { id: live.localParticipant.id, ms: performance.now() - entry.startedAtMs };
  }

  function tracksOf(media) {
    return parleyTest.medias
      .get(media)
      .stream.getTracks()
      .map((track) => ({ track }));
  }

  async function publish({ name, media }) {
    const { room } = rooms.get(name);
    await Promise.all(tracksOf(media).map(({ track }) => room.localParticipant.publishTrack(track)));
  }

  /** What is to be seen now: per tile the name under it, whether it is shown, and the picture in it. */
  function tiles(name) {
    return [...rooms.get(name).tiles.values()].map(({ video, participant, publication }) => ({
      name: participant.name,
      source: publication.source,
      selector: `#${CSS.escape(video.id)}`,
      isShown: video.style.visibility !== "hidden" && video.srcObject !== null,
      isSubscribed: publication.isSubscribed,
      picture: parleyTest.pictureOf(`#${CSS.escape(video.id)}`),
    }));
  }

  /** Only these participants' tiles are on the page; the others are scrolled away (display: none). */
  function page({ name, names }) {
    for (const { tile, participant } of rooms.get(name).tiles.values()) {
      tile.style.display = names.includes(participant.name) ? "" : "none";
    }
  }

  const analysers = new Map();
  /** The strongest tone in what the SDK plays of a participant (its verified audio track). */
  function toneOf({ name, participant }) {
    const { room } = rooms.get(name);
    const remote = [...room.remoteParticipants.values()].find((one) => one.name === participant);
    const track = remote?.getPublication("microphone")?.track;
    if (track === undefined) return { peakHz: 0, peakDb: -200 };
    const key = `${name} ${participant}`;
    if (analysers.get(key)?.track !== track) {
      let element = document.querySelector(`#${CSS.escape(`ear-${key}`)}`);
      if (element === null) {
        element = document.createElement("audio");
        element.id = `ear-${key}`;
        document.body.append(element);
      }
      element.srcObject = new MediaStream([track]);
      analysers.set(key, { track });
    }
    return parleyTest.toneOf(`#${CSS.escape(`ear-${key}`)}`);
  }

  function state(name) {
    const { room, events } = rooms.get(name);
    return {
      state: room.state,
      id: room.id,
      participantId: room.localParticipant.id,
      names: [...room.remoteParticipants.values()].map((one) => one.name),
      publications: [...room.remoteParticipants.values()].flatMap((one) =>
        [...one.publications.values()].map(({ source, muted, live, codec, isSubscribed, subscriptionError }) => ({
          name: one.name,
          source,
          muted,
          live,
          codec,
          isSubscribed,
          error: subscriptionError?.code ?? null,
        })),
      ),
      local: [...room.localParticipant.publications.values()].map(({ id, source, muted }) => ({ id, source, muted })),
      speakers: room.activeSpeakers.map((one) => one.name),
      events: events.map(({ event, what }) => `${event} ${what.join(" ")}`.trim()),
    };
  }

  async function leave(name) {
    const entry = rooms.get(name);
    await entry.room.disconnect();
    entry.stage.remove();
    rooms.delete(name);
  }

  return { join, publish, tiles, page, toneOf, state, leave, rooms, log };
})();
