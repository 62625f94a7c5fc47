import { receiveError, sendError } from '../../../src/web/worker/protocol.ts';
import type { Rng } from '../../support/rng.ts';
import { Finding, type Target } from '../target.ts';

const NAMES = [
  ...[
    'Error',
    'ModelError',
    'ShapeError',
    'UnsupportedOpError',
    'DeviceError',
    'ImageError',
    'DisposedError',
    'TypeError',
  ],
  ...['RangeError', 'AbortError', 'constructor', 'toString', '__proto__', 'hasOwnProperty', ''],
];

/** Errors that a worker tells its page of, as JSON. */
export const worker: Target = {
  make: (rng) => new TextEncoder().encode(JSON.stringify(sent(rng))),

  run(bytes) {
    const message = JSON.parse(new TextDecoder().decode(bytes)) as Parameters<typeof receiveError>[0];
    const error = receiveError(message);
    if (!(error instanceof Error)) throw new Finding(`${JSON.stringify(message)} gives ${typeof error}`);
    // sent on, it is the same again
    const again = receiveError(sendError(error));
    for (const each of [error, again]) {
      if (each.message !== message.message) throw new Finding(`message ${each.message} for ${message.message}`);
      if (each.name !== error.name || each.constructor !== error.constructor) throw new Finding(`${each} for ${error}`);
    }
    return error.constructor.name;
  },
};

function sent(rng: Rng): Record<string, string> {
  const message = rng.pick(['', 'boom', 'Conv_1: Conv has no mapping', 'a\nb', '\u001b[31m']);
  const error: Record<string, string> = { name: rng.pick(NAMES), message };
  if (rng.uniform(0, 1) < 0.2) return { ...error, name: 'DeviceError', reason: rng.pick(['lost', 'limits', 'other']) };
  if (rng.uniform(0, 1) > 0.2) return error;
  return { name: 'UnsupportedOpError', node: 'n', op: 'Op', message: `n: Op ${message}` };
}
