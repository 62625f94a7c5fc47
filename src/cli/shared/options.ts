import { type Command, InvalidArgumentError, Option } from 'commander';
import { PRECISIONS } from '../../kernels/dispatch.ts';
import { HEX_COLOUR, type PaintOptions } from '../../node/draw.ts';

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

/** How faces are marked. */
export interface DrawingOptions {
  labels: boolean;
  colour?: string;
  thickness?: number;
}

function parseColour(text: string): string {
  if (HEX_COLOUR.test(text)) return text;
  throw new InvalidArgumentError("Expected '#rrggbb', for example '#ffcc00'.");
}

export function addDrawingOptions(command: Command): Command {
  return command
    .option('--no-labels', 'in --out: no scores, nor numbers of faces')
    .option('--colour <#rrggbb>', 'in --out: of boxes and labels', parseColour)
    .option('--thickness <pixels>', 'in --out: of lines (default: by the size of the picture)', parsePositive);
}

/** @throws InvalidArgumentError where faces are not marked */
export function paintOptionsOf({ labels, colour, thickness }: DrawingOptions, marks: boolean): PaintOptions {
  const given = [!labels && '--no-labels', colour && '--colour', thickness && '--thickness'].find(Boolean);
  if (given && !marks)
    throw new InvalidArgumentError(`${given}: expected --out with it, and faces that are marked in it.`);
  return {
    labels,
    ...(colour !== undefined && { colours: { box: colour } }),
    ...(thickness !== undefined && { lineWidth: thickness }),
  };
}
