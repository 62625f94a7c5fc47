import { expect, it } from 'vitest';
import { loadPart } from '../../src/common/load-part.ts';

it('says what did not come, and asks again', async () => {
  const gone = new TypeError('Failed to fetch dynamically imported module: https://a.example/lib/hardware-1.js');
  let calls = 0;
  const load = async () => {
    if (++calls === 1) throw gone;
    return 'here';
  };
  const error: unknown = await loadPart(load).catch((each: unknown) => each);
  expect(error).toEqual(new Error(`a part of scrfd-webgpu could not be loaded: ${gone.message}`));
  expect((error as Error).cause).toBe(gone);
  expect(await loadPart(load)).toBe('here');
});
