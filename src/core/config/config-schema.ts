/** Introspection of a configuration schema: which keys it has. */
import { z } from 'zod';

/** The keys of a section; undefined for anything else. */
export function keysOf(schema: unknown): Readonly<Record<string, z.ZodType | undefined>> | undefined {
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}

/** Like `keysOf`, but also looks into a union that contains a section. */
export function keysWithin(schema: unknown): ReturnType<typeof keysOf> {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodUnion)) return keysOf(schema);
  return inner.options.map((option) => keysOf(option)).find((keys) => keys !== undefined);
}

/** The schema of a list's items; undefined for anything else. */
export function elementOf(schema: unknown): unknown {
  const inner = unwrap(schema);
  return inner instanceof z.ZodArray ? inner.element : undefined;
}

/** Kinds of a single value; several for a union. `empty text` where '' is a value of its own. */
export type Kind = 'string' | 'number' | 'boolean' | 'enum' | 'object' | 'unknown' | 'empty text';

/** Empty for lists, sections and keys that are not in the schema. */
export function kindsOf(schema: unknown): ReadonlySet<Kind> {
  const kinds = new Set<Kind>();
  const add = (part: unknown): void => {
    const inner = unwrap(part);
    if (inner instanceof z.ZodUnion) return inner.options.forEach(add);
    if (inner instanceof z.ZodEnum) {
      kinds.add('enum');
      if (inner.options.includes('')) kinds.add('empty text');
    } else if (inner instanceof z.ZodUnknown) kinds.add('unknown');
    else if (inner instanceof z.ZodBoolean) kinds.add('boolean');
    else if (inner instanceof z.ZodNumber) kinds.add('number');
    else if (inner instanceof z.ZodObject) kinds.add('object');
    else if (isText(inner)) kinds.add('string');
  };
  add(schema);
  if (kinds.has('string') && emptyIsDefault(schema)) kinds.add('empty text');
  return kinds;
}

/** A text key for which '' says "none" rather than "the default". */
export function emptyMeansNone<S extends z.ZodType>(schema: S): S {
  return schema.meta({ ...schema.meta(), emptyMeansNone: true });
}

function emptyIsDefault(schema: unknown): boolean {
  if ((schema as z.ZodType | undefined)?.meta?.()?.['emptyMeansNone'] === true) return true;
  const definition = (schema as { def?: { defaultValue?: unknown } } | undefined)?.def;
  return definition?.defaultValue === '';
}

/** A section passed on as it is written, with keys and types of another schema. */
export function readAs<S extends z.ZodType>(schema: S, other: z.ZodType): S {
  return schema.meta({ ...schema.meta(), readAs: other });
}

function readAsOf(schema: unknown): unknown {
  return (schema as z.ZodType | undefined)?.meta?.()?.['readAs'];
}

function isText(schema: unknown): boolean {
  return (schema as { def?: { type?: unknown } } | undefined)?.def?.type === 'string';
}

/** Unwraps default, optional, nullable, prefault and pipe to the schema that has the keys. */
function unwrap(schema: unknown): unknown {
  let current = schema;
  for (let depth = 0; depth < 10; depth += 1) {
    const definition = (current as { def?: { innerType?: unknown; in?: unknown } } | undefined)?.def;
    const next = readAsOf(current) ?? definition?.innerType ?? definition?.in;
    if (next === undefined) return current;
    current = next;
  }
  return current;
}
