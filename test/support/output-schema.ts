import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

const NAMES = ['face', 'picture', 'pictures', 'frame'] as const;
const folder = new URL('../../docs/schema/', import.meta.url);
const ajv = new Ajv2020({ strict: true, allErrors: true });
for (const name of NAMES) ajv.addSchema(JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as object);

/** What of a value the published schema refuses, a line each. */
export function schemaErrors(name: (typeof NAMES)[number], value: unknown): string[] {
  const validate = ajv.getSchema(`${name}.json`)!;
  if (validate(value)) return [];
  return validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);
}
