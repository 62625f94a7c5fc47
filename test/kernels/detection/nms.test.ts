import { describe, expect, it } from 'vitest';
import { type RecordSpec, recordsBytes } from '../../../src/kernels/detection/decode.ts';
import { IMAGE_PARAMS_BYTES, type ImageParams, packImageParams } from '../../../src/kernels/detection/image-params.ts';
import { faceBytes, nms } from '../../../src/kernels/detection/nms.ts';
import { type Candidate, selectFaces } from '../../support/reference-scrfd.ts';
import { createRng, type Rng } from '../../support/rng.ts';
import { candidateLists, imageParamsOf, keptOf } from '../support/heads.ts';
import { runDispatch } from '../support/run-steps.ts';

type Box = Candidate['box'];

/** Of five keypoints. */
const RECORD_BYTES = 64;
const RECORD_FLOATS = RECORD_BYTES / 4;

/** Whole coordinates: areas, intersections and distances to the centre are exact in float32, fused or not. */
const LAYOUTS = {
  'heavy overlap': (rng) => boxAt(rng.int(0, 60), rng.int(0, 60), rng.int(40, 80), rng.int(40, 80)),
  'some overlap': (rng) => boxAt(rng.int(0, 600), rng.int(0, 600), rng.int(5, 90), rng.int(5, 90)),
  'no overlap': (_, i) => boxAt((i % 128) * 8, Math.floor(i / 128) * 8, 6, 6),
  'one box': () => boxAt(17, 23, 101, 77),
  'inside out': (rng) => boxAt(rng.int(0, 600), rng.int(0, 600), rng.int(-3, 6), rng.int(-3, 6)),
} satisfies Record<string, (rng: Rng, i: number) => Box>;

type Layout = keyof typeof LAYOUTS;

function boxAt(x: number, y: number, width: number, height: number): Box {
  return [x, y, x + width, y + height];
}

/** Sorted candidates on random anchors, some with equal scores. */
function randomCandidates(rng: Rng, layout: Layout, count: number, total = count): Candidate[] {
  const anchors = Array.from({ length: total }, (_, i) => i);
  const make: (rng: Rng, i: number) => Box = LAYOUTS[layout];
  return Array.from({ length: count }, (_, i): Candidate => {
    const j = rng.int(i, total - 1);
    [anchors[i], anchors[j]] = [anchors[j]!, anchors[i]!];
    return { anchor: anchors[i]!, score: Math.fround(rng.int(1, 1000) / 1000), box: make(rng, i) };
  }).sort((a, b) => b.score - a.score || a.anchor - b.anchor);
}

/** Box, score and 11 floats that say whose they are; anchors that are no candidates stay NaN. */
function recordsOf(spec: RecordSpec, lists: readonly (readonly Candidate[])[]): Float32Array<ArrayBuffer> {
  const records = new Float32Array(recordsBytes(spec) / 4).fill(Number.NaN);
  lists.forEach((list, n) => {
    for (const { anchor, box, score } of list) {
      const at = (n * spec.total + anchor) * RECORD_FLOATS;
      records.set([...box, score], at);
      for (let k = 5; k < RECORD_FLOATS; k++) records[at + k] = anchor + k / 32;
    }
  });
  return records;
}

/** Checks the kernel on a batch, each image with its candidates, its parameters and the faces that it should keep. */
async function expectFaces(
  lists: readonly (readonly Candidate[])[],
  images: readonly ImageParams[],
  kept: readonly (readonly Candidate[])[],
  total: number,
): Promise<void> {
  const spec = { batch: lists.length, total, recordBytes: RECORD_BYTES };
  const records = recordsOf(spec, lists);
  const output = await runDispatch(nms(spec), [packImageParams(images), records, candidateLists(spec, lists)]);
  lists.forEach((list, n) => {
    const image = images[n]!;
    const metric = image.preferCentral ? 'default' : 'max';
    const expected = selectFaces(kept[n]!, image, { maxFaces: image.maxFaces, maxFacesMetric: metric });
    const values = new Float32Array(output, n * faceBytes(spec), faceBytes(spec) / 4);
    const header = Array.from(values.subarray(0, 4));
    expect(header, `image ${n}: faces, faces before maxFaces, candidates`).toEqual([
      expected.length,
      kept[n]!.length,
      list.length,
      0,
    ]);
    const anchors = expected.map((_, i) => values[4 + i * RECORD_FLOATS + 5]! - 5 / 32);
    expect(anchors, `image ${n}: anchors of the faces`).toEqual(expected.map(({ anchor }) => anchor));
    const whole = expected.flatMap(({ anchor }) => {
      const at = (n * spec.total + anchor) * RECORD_FLOATS;
      return Array.from(records.subarray(at, at + RECORD_FLOATS));
    });
    expect(Array.from(values.subarray(4, 4 + whole.length)), `image ${n}: records`).toEqual(whole);
  });
}

/** No fraction of small whole numbers. */
const THRESHOLD = 0.4000123;

describe('nms', () => {
  it('states its bindings and workgroups', () => {
    const { bindingBytes, workgroups } = nms({ batch: 3, total: 1000, recordBytes: RECORD_BYTES });
    expect(bindingBytes).toEqual([3 * IMAGE_PARAMS_BYTES, 3 * 1000 * 64, 3 * 1001 * 8, 3 * (16 + 1000 * 64)]);
    expect(workgroups).toEqual([3, 1, 1]);
  });

  describe.each<Layout>(['heavy overlap', 'some overlap', 'no overlap', 'one box', 'inside out'])('%s', (layout) => {
    it.each([0, 1, 2, 63, 64, 65, 128, 129, 1000, 2500])('%i candidates', async (count) => {
      const list = randomCandidates(createRng(count), layout, count, count + 10);
      const image = imageParamsOf({ iouThreshold: THRESHOLD });
      await expectFaces([list], [image], [keptOf(list, THRESHOLD)], count + 10);
    });
  });

  it.each<Layout>(['heavy overlap', 'one box'])('16800 candidates, all anchors: %s', async (layout) => {
    const list = randomCandidates(createRng(1), layout, 16800);
    await expectFaces([list], [imageParamsOf({ iouThreshold: THRESHOLD })], [keptOf(list, THRESHOLD)], 16800);
  });

  it('16800 candidates that do not overlap are 16800 faces', async () => {
    const list = randomCandidates(createRng(1), 'no overlap', 16800);
    await expectFaces([list], [imageParamsOf({ iouThreshold: THRESHOLD })], [list], 16800);
  });

  it.each<[number, Layout]>([
    [0, 'some overlap'],
    [0, 'no overlap'],
    [0, 'one box'],
    [1, 'some overlap'],
    [1, 'one box'],
    [0.2000123, 'some overlap'],
    [0.7000123, 'heavy overlap'],
  ])('IoU threshold %d: %s', async (iouThreshold, layout) => {
    const list = randomCandidates(createRng(2), layout, 300);
    await expectFaces([list], [imageParamsOf({ iouThreshold })], [keptOf(list, iouThreshold)], 300);
  });

  it('counts no last pixel where the parameters say so', async () => {
    // 8 of 16, then 9 of 16; boxes of no area are 0 of 0, which is not above the threshold
    const boxes: Box[] = [
      boxAt(0, 0, 16, 1),
      boxAt(0, 0, 8, 1),
      boxAt(0, 0, 9, 1),
      boxAt(5, 5, 0, 0),
      boxAt(5, 5, 0, 0),
    ];
    const list = boxes.map((box, anchor): Candidate => ({ anchor, box, score: 1 }));
    const kept = [0, 1, 3, 4].map((i) => list[i]!);
    await expectFaces([list], [imageParamsOf({ iouThreshold: 0.5, includeLastPixel: false })], [kept], 5);
  });

  it('keeps what overlaps by just the threshold', async () => {
    // 8 of 16 pixels, then 9 of 16
    const boxes: Box[] = [boxAt(0, 0, 15, 0), boxAt(0, 0, 7, 0), boxAt(0, 0, 8, 0)];
    const list = boxes.map((box, anchor): Candidate => ({ anchor, box, score: 1 }));
    await expectFaces([list], [imageParamsOf({ iouThreshold: 0.5 })], [list.slice(0, 2)], 3);
  });

  it('lets a dropped box drop no other, across chunks of 64', async () => {
    // a chain: every box overlaps only its neighbours
    const list = Array.from(
      { length: 200 },
      (_, i): Candidate => ({ anchor: 199 - i, score: Math.fround(1 - i / 1000), box: boxAt(i * 5, 0, 9, 9) }),
    );
    const kept = list.filter((_, i) => i % 2 === 0);
    expect(keptOf(list, 0.3000123)).toEqual(kept);
    await expectFaces([list], [imageParamsOf({ iouThreshold: 0.3000123 })], [kept], 200);
  });

  it('keeps the images of a batch apart', async () => {
    const rng = createRng(3);
    const lists = [
      randomCandidates(rng, 'some overlap', 150, 400),
      randomCandidates(rng, 'heavy overlap', 400, 400),
      [],
    ];
    const thresholds = [THRESHOLD, 0.7000123, 0.1];
    const images = thresholds.map((iouThreshold, n) => imageParamsOf({ iouThreshold, maxFaces: n === 1 ? 4 : 0 }));
    await expectFaces(
      lists,
      images,
      lists.map((list, n) => keptOf(list, thresholds[n]!)),
      400,
    );
  });

  describe.each([
    [true, 'large and central'],
    [false, 'large'],
  ])('maxFaces, preferCentral %j: %s faces first', (preferCentral) => {
    const images = [
      [640, 480],
      [333, 517],
    ] as const;
    it.each(images.flatMap(([width, height]) => [1, 2, 5, 64, 65, 149, 1000].map((m) => [m, width, height] as const)))(
      '%i of a %i×%i picture’s',
      async (maxFaces, width, height) => {
        const list = randomCandidates(createRng(4), 'some overlap', 400);
        const image = imageParamsOf({ iouThreshold: THRESHOLD, maxFaces, preferCentral, width, height });
        const kept = keptOf(list, THRESHOLD);
        expect(kept.length).toBeGreaterThan(149);
        await expectFaces([list], [image], [kept], 400);
      },
    );

    it('equal ones in the order of their scores', async () => {
      const list = randomCandidates(createRng(5), 'no overlap', 130);
      // mirrored around the centre of 400×400 in groups of four
      const boxes = list.map((candidate, i): Candidate => {
        const [x, y] = [(i >> 2) * 6, 20];
        return { ...candidate, box: boxAt(200 + (i & 1 ? x : -x) - 2, 200 + (i & 2 ? y : -y) - 2, 4, 4) };
      });
      const image = imageParamsOf({ iouThreshold: THRESHOLD, maxFaces: 50, preferCentral, width: 400, height: 400 });
      await expectFaces([boxes], [image], [keptOf(boxes, THRESHOLD)], 130);
    });
  });
});
