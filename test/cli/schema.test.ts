import { expect, test } from 'vitest';
import { schemaErrors } from '../support/output-schema.ts';

// the tests of detect and video hold what they print against these

const face = { box: [1, 2, 3.5, 4], score: 0.5 };
const keypoints = [1, 2, 3, 4, 5].map((x) => [x, -1]);
const picture = { image: 'a.jpg', width: 2, height: 9, faces: [face, { ...face, keypoints }] };
const frame = { frame: 0, time: 0.04, faces: [{ ...face, track: 1 }] };

test.each([
  ['picture', picture],
  ['pictures', []],
  ['pictures', [picture, { ...picture, faces: [] }]],
  ['frame', frame],
] as const)('%s takes %j', (name, value) => {
  expect(schemaErrors(name, value)).toEqual([]);
});

test.each([
  ['picture', { ...picture, image: undefined }, ' must have'],
  ['picture', { ...picture, image: '' }, '/image must NOT have'],
  ['picture', { ...picture, width: 2.5 }, '/width must be integer'],
  ['picture', { ...picture, faces: [{ ...face, box: [1, 2, 3] }] }, '/faces/0/box must NOT have fewer'],
  ['picture', { ...picture, faces: [{ ...face, box: [1, 2, 3, null] }] }, '/faces/0/box/3 must be number'],
  ['picture', { ...picture, faces: [{ ...face, score: 1.5 }] }, '/faces/0/score must be <= 1'],
  ['picture', { ...picture, faces: [{ ...face, keypoints: [] }] }, '/faces/0/keypoints must NOT'],
  ['picture', { ...picture, faces: [{ ...face, keypoints: [[1, 2, 3], ...keypoints.slice(1)] }] }, '/keypoints/0 must'],
  ['picture', { ...picture, faces: [{ ...face, name: 'x' }] }, '/faces/0 must NOT have additional'],
  ['pictures', picture, ' must be array'],
  ['pictures', [picture, {}], '/1 must have'],
  ['frame', { ...frame, time: -1 }, '/time must be >= 0'],
  ['frame', { ...frame, faces: [{ ...face, track: 0 }] }, '/faces/0/track must be >= 1'],
  ['frame', { ...frame, image: 'a.jpg' }, ' must NOT have additional'],
] as const)('%s refuses %j', (name, value, error) => {
  const errors = schemaErrors(name, JSON.parse(JSON.stringify(value)));
  expect(
    errors.some((each) => each.includes(error)),
    errors.join(),
  ).toBe(true);
});
