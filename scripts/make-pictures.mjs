// Makes the pictures that come with the repository out of one, assets/astronaut.png: a group and a crowd, and the demo's thumbnails of them.
// With a model, and after `npm run build` and test/web/demo.test.ts, it makes the pictures of docs/ from those, too, with the program itself.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const portrait = at('assets/astronaut.png');
const backdrop = '#b9b4ad';

/** Prints of a group: left, top, side, and whether they are turned over. */
const PRINTS = [
  [24, 24, 480, false],
  [528, 24, 312, true],
  [864, 24, 312, false],
  [528, 360, 424, false],
  [976, 360, 200, true],
  [976, 584, 200, false],
  [24, 528, 256, true],
  [304, 584, 200, false],
];

/** The head in the portrait, as a square with room to be turned in. */
const HEAD = { left: 116, top: 0, width: 220, height: 220 };
const CELL = 64;
const [COLUMNS, ROWS] = [16, 10];

async function makeGroup() {
  const prints = PRINTS.map(async ([left, top, side, isMirrored]) => {
    const input = await sharp(portrait).resize(side).flop(isMirrored).toBuffer();
    return { input, left, top };
  });
  await lay(1200, 808, prints, 'assets/group.jpg');
}

async function makeCrowd() {
  const heads = Array.from({ length: COLUMNS * ROWS }, async (_, i) => {
    // steps that share no factor with the rows, so that neighbours differ
    const angle = ((i * 7) % 41) - 20;
    const head = await sharp(portrait)
      .extract(HEAD)
      .flop(i % 3 === 0)
      .toBuffer();
    const turned = await sharp(head).rotate(angle).toBuffer({ resolveWithObject: true });
    // the square that is full at every such angle, or a smaller one
    const side = 170 - ((i * 5) % 4) * 8;
    const [left, top] = [turned.info.width, turned.info.height].map((extent) => Math.round((extent - side) / 2));
    const cut = sharp(turned.data).extract({ left, top, width: side, height: side });
    const input = await cut
      .resize(CELL)
      .modulate({ brightness: 0.8 + ((i * 3) % 5) * 0.1 })
      .toBuffer();
    return { input, left: (i % COLUMNS) * CELL, top: Math.floor(i / COLUMNS) * CELL };
  });
  await lay(COLUMNS * CELL, ROWS * CELL, heads, 'assets/crowd.jpg');
}

async function lay(width, height, parts, file) {
  const canvas = sharp({ create: { width, height, channels: 3, background: backdrop } });
  await canvas
    .composite(await Promise.all(parts))
    .jpeg({ quality: 72, mozjpeg: true })
    .toFile(at(file));
}

async function makeThumbnail(picture, part, name) {
  const thumbnail = sharp(at(picture)).extract(part).resize(240, 180);
  await thumbnail.jpeg({ quality: 80, mozjpeg: true }).toFile(at(`demo/thumbnails/${name}.jpg`));
}

await Promise.all([makeGroup(), makeCrowd()]);
await makeThumbnail('assets/astronaut.png', { left: 40, top: 0, width: 400, height: 300 }, 'one');
await makeThumbnail('assets/group.jpg', { left: 0, top: 0, width: 1076, height: 807 }, 'group');
await makeThumbnail('assets/crowd.jpg', { left: 0, top: 0, width: 512, height: 384 }, 'crowd');

const [model] = process.argv.slice(2);
if (model) {
  await drawGroup();
  await hideAndAlign();
  await picture('demo', sharp(at('test-results/demo-group.png')).resize(960));
}

async function drawGroup() {
  const folder = mkdtempSync(join(tmpdir(), 'pictures-'));
  execFileSync('node', [at('dist/cli/main.js'), 'detect', at('assets/group.jpg'), '--model', model, '--out', folder]);
  await picture('group-faces', sharp(join(folder, 'group.jpg')).resize(960));
  rmSync(folder, { recursive: true });
}

async function hideAndAlign() {
  const { blurFaces, createDetector, readImage } = await import('../dist/index.node.js');
  const detector = await createDetector(model);
  const group = await readImage(at('assets/group.jpg'));
  const hidden = blurFaces(group, await detector.detect(group));
  await picture('hidden', fromPixels(hidden).resize(800));

  const crowd = await readImage(at('assets/crowd.jpg'));
  const faces = await detector.detect(crowd);
  // the first row of the sheet, from left to right
  const row = faces.filter(({ box }) => box[3] < CELL * 1.2).sort((a, b) => a.box[0] - b.box[0]);
  const crops = await detector.alignFaces(crowd, row.slice(0, 7));
  const [side, gap] = [112, 2];
  const parts = crops.map(async (crop, i) => {
    const cell = fromPixels(crowd).extract({ left: i * CELL, top: 0, width: CELL, height: CELL });
    const [before, after] = [cell.resize(side), fromPixels(crop)].map((part) => part.png().toBuffer());
    const left = i * (side + gap);
    return [
      { input: await before, left, top: 0 },
      { input: await after, left, top: side + gap },
    ];
  });
  const [width, height] = [crops.length * (side + gap) - gap, 2 * side + gap];
  const canvas = sharp({ create: { width, height, channels: 3, background: 'white' } });
  await picture('aligned', canvas.composite((await Promise.all(parts)).flat()));
  await detector.dispose();
}

function fromPixels({ data, width, height, channels }) {
  return sharp(data, { raw: { width, height, channels } });
}

async function picture(name, image) {
  await image.webp({ quality: 80 }).toFile(at(`docs/pictures/${name}.webp`));
}
