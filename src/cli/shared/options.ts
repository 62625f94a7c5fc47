import { InvalidArgumentError, Option } from 'commander';
import { PRECISIONS } from '../../kernels/dispatch.ts';

/** Parses `640x480` or `640` into `[width, height]`. */
export function parseSize(text: string): [width: number, height: number] {
  const match = /^(\d{1,5})(?:[x×](\d{1,5}))?$/i.exec(text);
  const width = Number(match?.[1]);
  const height = Number(match?.[2] ?? match?.[1]);
  if (!(width > 0 && height > 0)) {
    throw new InvalidArgumentError('Expected WxH or one side in pixels, for example 640x480.');
  }
  return [width, height];
}

/** Parses a number from 0 to 1. */
export function parseFraction(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('Expected a number from 0 to 1.');
  return value;
}

/** Parses an integer of at least 1. */
export function parseCount(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (!(value >= 1 && Number.isSafeInteger(value))) {
    throw new InvalidArgumentError('Expected an integer of at least 1.');
  }
  return value;
}

export function modelOption(): Option {
  return new Option(
    '-m, --model <model>',
    'name (see scrfd models list), or path or URL of an .onnx file',
  ).makeOptionMandatory();
}

export function sizeOption(): Option {
  return new Option('--size <WxH>', "size of the network's input, for example 640x480 or 640").argParser(parseSize);
}

export function precisionOption(): Option {
  return new Option('--precision <name>', 'how values are stored between layers').choices(PRECISIONS);
}
