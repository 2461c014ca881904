import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CARD,
  PEOPLE,
  type Person,
  cardAsI420,
  cardAsY4m,
  goertzelPeople,
  personOfColour,
  personOfTone,
  readI420,
  toneAsWav,
} from "./test-card.ts";

test("a card is read back with its person's colour and a bar that moves with the frames", () => {
  for (const [person, { colour }] of Object.entries(PEOPLE)) {
    const first = readI420({ data: cardAsI420(10, colour), width: CARD.width, height: CARD.height });
    const second = readI420({ data: cardAsI420(20, colour), width: CARD.width, height: CARD.height });
    assert.equal(personOfColour(first.colour), person);
    assert.ok(first.barX !== undefined && second.barX !== undefined);
    assert.ok(Math.abs(second.barX - first.barX - 10 * CARD.barStep) < 1);
  }
});

test("grey, black and white are nobody's colour, silence is nobody's tone", () => {
  for (const colour of [
    [0, 0, 0],
    [128, 128, 128],
    [255, 255, 255],
  ])
    assert.equal(personOfColour(colour), undefined);
  assert.equal(personOfTone({ peakHz: 500, peakDb: -90 }), undefined);
  assert.equal(personOfTone({ peakHz: 650, peakDb: -20 }), undefined);
  assert.equal(personOfTone({ peakHz: 503, peakDb: -20 }), "anna");
});

test("tones are told apart by Goertzel", () => {
  for (const [person, { toneHz }] of Object.entries(PEOPLE)) {
    const wav = toneAsWav(toneHz, 1);
    const samples = new Int16Array(wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + 44 + 9600));
    const heard = goertzelPeople(samples, 48000);
    assert.equal(heard.person, person as Person);
    assert.ok(heard.share > 0.9, `share ${heard.share}`);
  }
  assert.ok(goertzelPeople(new Float32Array(4800), 48000).share === 0);
});

test("the capture file has all its frames", () => {
  const file = cardAsY4m(PEOPLE.ben.colour, 3, 15);
  const frame = (CARD.width * CARD.height * 3) / 2 + 6;
  assert.equal(file.length - 3 * frame > 0 && file.length - 3 * frame < 80, true);
});
