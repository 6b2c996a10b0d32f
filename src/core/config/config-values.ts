/**
 * Accepts values and keys as the original's loaders do, so that files of running clusters work here: a quoted number or
 * boolean, a number for a text, a single item for a list, keys in other letter case, and '' for "the default".
 * Everything else is up to the schema.
 */
import { parseDocument, visit, type Document, type LineCounter } from 'yaml';
import type { z } from 'zod';
import { elementOf, keysWithin, kindsOf } from './config-schema.ts';

/** A number or boolean of the file with its spelling, since text like 1.10 must keep its zero. */
class Spelt {
  readonly value: unknown;
  readonly source: string;

  constructor(value: unknown, source: string) {
    this.value = value;
    this.source = source;
  }
}

/** Keeps the spelling of scalars for `coerced`; check its errors first. */
export function parseValues(text: string, lineCounter?: LineCounter): Document {
  const document = parseDocument(text, lineCounter ? { lineCounter } : {});
  visit(document, {
    Scalar: (place, node) => {
      const isPlain = typeof node.value === 'number' || typeof node.value === 'boolean';
      if (place !== 'key' && isPlain) node.value = new Spelt(node.value, node.source ?? String(node.value));
    },
  });
  return document;
}

/** Converts the value to the types that the schema expects; what cannot be converted is left for the schema to reject. */
export function coerced(schema: unknown, value: unknown): unknown {
  const element = elementOf(schema);
  if (element !== undefined) return items(value).map((item) => coerced(element, item));
  if (isMap(value)) {
    const known = keysWithin(schema);
    return sectionOf(
      value,
      Object.entries(value)
        .map(([key, item]): [string, unknown] => [key, coerced(known?.[key], item)])
        .filter(([, item]) => item !== undefined),
    );
  }
  if (Array.isArray(value)) return value.map((item) => coerced(undefined, item));
  return scalar(schema, value);
}

/** A section with only empty values counts as absent: charts write `tls: { caCert: '', cert: '', key: '' }` for none. */
export function sectionOf(
  written: Readonly<Record<string, unknown>>,
  left: readonly (readonly [string, unknown])[],
): Record<string, unknown> | undefined {
  return left.length === 0 && Object.keys(written).length > 0 ? undefined : Object.fromEntries(left);
}

/** Renames keys to the schema's spelling. An exact key wins over the same one in other letter case. */
export function withSchemaKeys(schema: unknown, value: unknown): unknown {
  const element = elementOf(schema);
  if (element !== undefined && Array.isArray(value)) return value.map((item) => withSchemaKeys(element, item));
  if (!isMap(value)) return value;
  const known = keysWithin(schema);
  const entries = Object.entries(value).map(([key, item]) => {
    const name = schemaKey(known, key, value);
    return [name, withSchemaKeys(known?.[name], item)];
  });
  return Object.fromEntries(entries);
}

/** The path in the schema's spelling, as far as the schema knows it. */
export function schemaPath(schema: unknown, keys: readonly string[]): string[] {
  let inner = schema;
  return keys.map((key) => {
    const known = keysWithin(inner);
    const name = schemaKey(known, key, {});
    inner = known?.[name];
    return name;
  });
}

function schemaKey(
  known: Readonly<Record<string, z.ZodType | undefined>> | undefined,
  key: string,
  beside: Readonly<Record<string, unknown>>,
): string {
  if (!known || Object.hasOwn(known, key)) return key;
  const lower = key.toLowerCase();
  const same = Object.keys(known).find((name) => name.toLowerCase() === lower);
  return same === undefined || Object.hasOwn(beside, same) ? key : same;
}

/** A single item is read as a list of one, text with commas as a list of several, as viper does. */
function items(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'string') return [value];
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function scalar(schema: unknown, given: unknown): unknown {
  const kinds = kindsOf(schema);
  const value = given instanceof Spelt ? given.value : given;
  if (kinds.size === 0 || kinds.has('unknown')) return value;
  if (typeof value === 'string') {
    if (value === '' && !kinds.has('empty text')) return undefined;
    if (kinds.has('string')) return value;
    if (kinds.has('boolean')) return truths.get(value.toLowerCase()) ?? value;
    if (kinds.has('number') && /^[+-]?\d+(\.\d+)?$/.test(value.trim())) return Number(value);
    return value;
  }
  if (typeof value === 'number' && kinds.has('boolean') && !kinds.has('number')) return value !== 0;
  const wantsText = kinds.has('string') || kinds.has('enum');
  const hasOwnKind = [...kinds].some((kind) => kind === typeof value);
  return wantsText && !hasOwnKind && given instanceof Spelt ? given.source : value;
}

/** The spellings that Go's strconv.ParseBool and YAML 1.1 accept. */
const truths: ReadonlyMap<string, boolean> = new Map(
  ['true', 't', 'yes', 'y', 'on', '1', 'false', 'f', 'no', 'n', 'off', '0'].map((text, index) => [text, index < 6]),
);

/** A section of the file. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Spelt);
}
