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

/** A parser of the numbers that `fits` takes. */
function numberParser(expected: string, fits: (value: number, text: string) => boolean) {
  return (text: string): number => {
    if (text.trim() !== '' && fits(Number(text), text)) return Number(text);
    throw new InvalidArgumentError(`Expected ${expected}.`);
  };
}

const isInteger = (value: number, text: string) => /^\d+$/.test(text) && Number.isSafeInteger(value);

export const parseFraction = numberParser('a number from 0 to 1', (value) => value >= 0 && value <= 1);
export const parsePositive = numberParser('a positive number', (value) => value > 0 && Number.isFinite(value));
export const parseNatural = numberParser('an integer of at least 0', isInteger);
export const parseCount = numberParser(
  'an integer of at least 1',
  (value, text) => value > 0 && isInteger(value, text),
);

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
