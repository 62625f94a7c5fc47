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

/** Every option of an interface; the compiler wants it whole. */
export type OptionNames<Options> = Readonly<Record<keyof Options, 1>>;

/** @throws TypeError for an option that there is not, with the one that was meant */
export function assertKnown(options: object, known: Readonly<Record<string, 1>>): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const meant = nearest(name, Object.keys(known));
    throw new TypeError(`${name}: no such option${meant === undefined ? '' : `; did you mean ${meant}?`}`);
  }
}

/** The name that differs by the fewest letters, and by less than half of them. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const distances = names.map((each) => editDistance(name.toLowerCase(), each.toLowerCase()));
  const least = Math.min(...distances);
  return least < name.length / 2 ? names[distances.indexOf(least)] : undefined;
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    }
  }
  return row.at(-1)!;
}
