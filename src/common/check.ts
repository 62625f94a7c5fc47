/** @throws RangeError naming what is allowed */
export function assertOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (allowed.includes(value as string)) return;
  throw new RangeError(`${name}: expected ${allowed.map((each) => `'${each}'`).join(' or ')}, got ${String(value)}`);
}

/** @throws RangeError for what is no number from 0 to 1, whatever it would be coerced to */
export function assertFraction(name: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0 && value <= 1) return;
  throw new RangeError(`${name}: expected a number from 0 to 1, got ${String(value)}`);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws RangeError */
export function assertInFlight(inFlight: number): void {
  if (Number.isInteger(inFlight) && inFlight > 0) return;
  throw new RangeError(`inFlight: expected an integer of at least 1, got ${inFlight}`);
}
