import { expect, test } from 'vitest';
import { ModelError } from '../../src/common/errors.ts';
import { besideUrl } from '../../src/models/download.ts';

test('a file beside a URL', () => {
  expect(besideUrl(new URL('https://host/models/a.onnx?x=1'), 'parts/b c.bin').href).toBe(
    'https://host/models/parts/b%20c.bin',
  );
});

test.each(['data:application/octet-stream,abc', 'blob:https://host/1234'])('nothing lies beside %s', (url) => {
  const { protocol } = new URL(url);
  expect(() => besideUrl(new URL(url), 'b.bin')).toThrow(
    new ModelError(`external file 'b.bin': expected a model by a path or URL that has a folder, got a ${protocol} URL`),
  );
});
