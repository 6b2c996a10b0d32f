/**
 * Configuration files: YAML → schema → frozen object.
 *
 * A bad value is an error that names file, line and key; an unknown key is a warning with the same, because the files of
 * running clusters carry misplaced keys that were always ignored. `null` counts as absent, as those files rely on.
 */
import { readFile } from 'node:fs/promises';
import { LineCounter, isMap, isPair, isScalar, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { DragonflyError } from './errors.ts';
import { parseBytes, parseDurationMs } from './units.ts';

export interface LoadedConfig<T> {
  readonly config: T;
  /** One sentence per key that no part of the product reads. */
  readonly warnings: readonly string[];
}

/**
 * @param path file to read; absent path with `optional` gives the defaults.
 * Throws CONFIG_INVALID when the file is missing, is not YAML or has a bad value.
 */
export async function loadConfig<S extends z.ZodType>(
  schema: S,
  path: string,
  { optional = false }: { optional?: boolean } = {},
): Promise<LoadedConfig<z.output<S>>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (optional && (error as NodeJS.ErrnoException).code === 'ENOENT') return parseConfig(schema, '', path);
    throw new DragonflyError(
      'CONFIG_INVALID',
      `cannot read the configuration file ${path}: ${(error as Error).message}`,
      {
        cause: error,
        hint: 'Check the path given with --config.',
      },
    );
  }
  return parseConfig(schema, text, path);
}

export function parseConfig<S extends z.ZodType>(schema: S, text: string, path: string): LoadedConfig<z.output<S>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntaxError = document.errors[0];
  if (syntaxError) {
    throw new DragonflyError(
      'CONFIG_INVALID',
      `${path}:${lines.linePos(syntaxError.pos[0]).line}: ${syntaxError.message.split('\n')[0]}`,
      {
        hint: 'Correct the YAML syntax on this line.',
      },
    );
  }
  const lineOf = (keys: readonly PropertyKey[]): number => lines.linePos(offsetOf(document, keys)).line;
  const values: unknown = withoutNulls(document.toJS() ?? {});
  const result = schema.safeParse(values);
  if (!result.success) {
    const problems = result.error.issues.map(
      (issue) => `${path}:${lineOf(issue.path)}: ${issue.path.join('.') || 'file'}: ${issue.message}`,
    );
    throw new DragonflyError('CONFIG_INVALID', problems.join('\n'), {
      hint: 'docs/config.md lists every key with its type and default.',
    });
  }
  const warnings = unknownKeys(schema, values, []).map(
    (keys) => `${path}:${lineOf(keys)}: unknown key ${keys.join('.')} is ignored`,
  );
  return { config: deepFreeze(result.data), warnings };
}

/** A duration key: `30s`, `1m30s`; the value in the typed object is in milliseconds. */
export function durationMs(defaultText: string): z.ZodType<number> {
  return z
    .union([z.string(), z.number()])
    .default(defaultText)
    .transform((value, context) => parsed(() => parseDurationMs(value), context));
}

/** A size or rate key: `4MiB`, `1000Gi`; the value in the typed object is in bytes. */
export function bytes(defaultText: string): z.ZodType<number> {
  return z
    .union([z.string(), z.number()])
    .default(defaultText)
    .transform((value, context) => parsed(() => parseBytes(value), context));
}

/** A section that may be absent: its keys then all take their defaults. */
export function section<S extends z.ZodRawShape>(shape: S): z.ZodPrefault<z.ZodObject<S>> {
  return z.object(shape).prefault({} as z.input<z.ZodObject<S>>);
}

function parsed(parse: () => number, context: { addIssue(message: string): void }): number {
  try {
    return parse();
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
}

function offsetOf(document: Document, keys: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of keys) {
    const pair = isMap(node)
      ? node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key)
      : undefined;
    if (pair && isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
    node = pair ? pair.value : (node as { items?: unknown[] } | null)?.items?.[key as number];
    const range = (node as { range?: readonly number[] } | null | undefined)?.range;
    if (!pair && range) offset = range[0] ?? offset;
  }
  return offset;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}

function unknownKeys(schema: unknown, value: unknown, path: readonly (string | number)[]): (string | number)[][] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    return value.flatMap((item, index) => unknownKeys(inner.element, item, [...path, index]));
  }
  if (!(inner instanceof z.ZodObject) || value === null || typeof value !== 'object') return [];
  const shape = inner.shape as Record<string, unknown>;
  return Object.entries(value).flatMap(([key, item]) =>
    Object.hasOwn(shape, key) ? unknownKeys(shape[key], item, [...path, key]) : [[...path, key]],
  );
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

function deepFreeze<T>(value: T): T {
  if (
    value !== null &&
    typeof value === 'object' &&
    !Object.isFrozen(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof RegExp)
  ) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
