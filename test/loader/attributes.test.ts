import { describe, expect, test } from 'vitest';
import { ModelError, UnsupportedOpError } from '../../src/common/errors.ts';
import { floatTensor } from '../../src/common/tensor.ts';
import { Attributes, type AttributeValue } from '../../src/loader/attributes.ts';

const value = floatTensor([2], [1, 2]);

function attributes(extra: Record<string, AttributeValue> = {}): Attributes {
  const values: Record<string, AttributeValue> = {
    axis: { kind: 'int', value: -1 },
    alpha: { kind: 'float', value: 0.5 },
    mode: { kind: 'string', value: 'nearest' },
    pads: { kind: 'ints', value: [0, 1] },
    scales: { kind: 'floats', value: [1, 2.5] },
    value: { kind: 'tensor', value },
    ...extra,
  };
  return new Attributes('Node_7', 'Op', new Map(Object.entries(values)));
}

function readAll(target: Attributes): void {
  target.int('axis');
  target.float('alpha');
  target.string('mode');
  target.ints('pads');
  target.floats('scales');
  target.tensor('value');
}

describe('Attributes', () => {
  test('gives each type', () => {
    const target = attributes();
    expect(target.int('axis')).toBe(-1);
    expect(target.float('alpha')).toBe(0.5);
    expect(target.string('mode')).toBe('nearest');
    expect(target.ints('pads')).toEqual([0, 1]);
    expect(target.floats('scales')).toEqual([1, 2.5]);
    expect(target.tensor('value')).toBe(value);
  });

  test('prefers the file over the fallback, zero and empty included', () => {
    const target = attributes({ zero: { kind: 'int', value: 0 }, none: { kind: 'ints', value: [] } });
    expect(target.int('zero', 5)).toBe(0);
    expect(target.ints('none', [1])).toEqual([]);
  });

  test('falls back only where the attribute is missing', () => {
    const target = attributes();
    expect(target.int('group', 0)).toBe(0);
    expect(target.float('epsilon', 1e-5)).toBe(1e-5);
    expect(target.string('auto_pad', '')).toBe('');
    expect(target.ints('dilations', [1, 1])).toEqual([1, 1]);
    expect(target.floats('roi', [])).toEqual([]);
  });

  test.each([
    ['int', (target: Attributes) => target.int('group')],
    ['float', (target: Attributes) => target.float('group')],
    ['string', (target: Attributes) => target.string('group')],
    ['ints', (target: Attributes) => target.ints('group')],
    ['floats', (target: Attributes) => target.floats('group')],
    ['tensor', (target: Attributes) => target.tensor('group')],
  ])('a missing %s names node and attribute', (_, read) => {
    expect(() => read(attributes())).toThrow(new ModelError('Node_7: Op expects attribute group, got none'));
  });

  test('a wrong type names expected and got, even with a fallback', () => {
    const target = attributes();
    expect(() => target.int('alpha', 1)).toThrow(new ModelError('Node_7: Op attribute alpha expects int, got float'));
    expect(() => target.ints('axis')).toThrow('attribute axis expects ints, got int');
    expect(() => target.tensor('mode')).toThrow('attribute mode expects tensor, got string');
  });

  test('has does not count as reading', () => {
    const target = attributes({ extra: { kind: 'int', value: 3 } });
    readAll(target);
    expect(target.has('extra')).toBe(true);
    expect(target.has('absent')).toBe(false);
    expect(() => target.assertAllRead()).toThrow(UnsupportedOpError);
  });

  test('assertAllRead names what would be ignored', () => {
    const target = attributes({ dilations: { kind: 'ints', value: [2, 2] } });
    readAll(target);
    expect(() => target.assertAllRead()).toThrow('Node_7: Op with attribute dilations = 2,2 has no mapping');
    target.ints('dilations');
    expect(() => target.assertAllRead()).not.toThrow();
  });

  test('the error of assertAllRead carries node and op', () => {
    const caught = catchError(() => attributes().assertAllRead());
    expect(caught).toBeInstanceOf(UnsupportedOpError);
    expect(caught).toMatchObject({ node: 'Node_7', op: 'Op' });
  });
});

function catchError(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error, got none');
}
