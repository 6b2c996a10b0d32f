/** Looking into a configuration schema: which keys it names. */
import { z } from 'zod';

/** Of a section; undefined for anything else. */
export function keysOf(schema: unknown): Readonly<Record<string, z.ZodType | undefined>> | undefined {
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}

/** What the items of a list are; undefined for anything else. */
export function elementOf(schema: unknown): unknown {
  const inner = unwrap(schema);
  return inner instanceof z.ZodArray ? inner.element : undefined;
}

/** Through default, optional, nullable, prefault and pipe wrappers to the schema that names the keys. */
function unwrap(schema: unknown): unknown {
  let current = schema;
  for (let depth = 0; depth < 10; depth += 1) {
    const definition = (current as { def?: { innerType?: unknown; in?: unknown } } | undefined)?.def;
    const next = definition?.innerType ?? definition?.in;
    if (next === undefined) return current;
    current = next;
  }
  return current;
}
