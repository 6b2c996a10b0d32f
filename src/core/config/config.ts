/**
 * Configuration: YAML, with overrides from flags and environment → schema → frozen object.
 *
 * A bad value is an error that names file, line and key; an unknown or misplaced key is a warning with the same,
 * because the files of running clusters contain such keys. `null` counts as absent, as those files rely on.
 */
import { readFile } from 'node:fs/promises';
import { LineCounter, isMap, isPair, isScalar, type Document, type Pair, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { withOverrides, environmentOverrides, flagOverrides, type ConfigOverride } from './config-overrides.ts';
import { elementOf, keysOf, kindsOf } from './config-schema.ts';
import { coerced, isMap as isSection, parseValues, schemaPath, sectionOf, withSchemaKeys } from './config-values.ts';
import { DragonflyError } from '../errors.ts';
import type { LogRotation } from '../files/rotating-file.ts';
import { parseBytes, parseDurationMs } from '../units.ts';

export interface LoadedConfig<T> {
  readonly config: T;
  /** One sentence per unknown or misplaced key. */
  readonly warnings: readonly string[];
}

export interface ConfigSource {
  /** A missing file is treated as an empty one. */
  readonly optional?: boolean;
  /** `key.path=value` from the command line: takes precedence over everything else. */
  readonly assignments?: readonly string[];
  /** Variables named `PREFIX_KEY_PATH`; they override the file. */
  readonly environment?: { readonly prefix: string; readonly env: Readonly<Record<string, string | undefined>> };
}

/** Throws CONFIG_INVALID when the file is missing, is not YAML or has a bad value. */
export async function loadConfig<S extends z.ZodType>(
  schema: S,
  path: string,
  source: ConfigSource = {},
): Promise<LoadedConfig<z.output<S>>> {
  return parseConfig(schema, await readConfigText(path, source), path, overridesOf(schema, source));
}

/** Overrides from flags and environment. */
export function overridesOf(schema: z.ZodType, { assignments = [], environment }: ConfigSource): ConfigOverride[] {
  return [
    ...(environment ? environmentOverrides(schema, environment.prefix, environment.env) : []),
    ...flagOverrides(assignments),
  ];
}

/** Throws CONFIG_INVALID when the file cannot be read. */
export async function readConfigText(path: string, { optional = false }: ConfigSource): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (optional && (error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new DragonflyError(
      'CONFIG_INVALID',
      `cannot read the configuration file ${path}: ${(error as Error).message}`,
      {
        cause: error,
        hint: 'Check the path given with --config.',
      },
    );
  }
}

/** @param outside later ones take precedence. Throws CONFIG_INVALID. */
export function parseConfig<S extends z.ZodType>(
  schema: S,
  text: string,
  path: string,
  outside: readonly ConfigOverride[] = [],
): LoadedConfig<z.output<S>> {
  const overrides = outside.map((override) => ({ ...override, keys: schemaPath(schema, override.keys) }));
  const lines = new LineCounter();
  const document = parseValues(text, lines);
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
  const placeOf = (keys: readonly PropertyKey[]): string =>
    overrides.findLast((override) => override.keys.every((key, index) => key === keys[index]))?.from ??
    `${path}:${lines.linePos(offsetOf(document, keys)).line}`;
  const inFile = withSchemaKeys(schema, withoutNulls(document.toJS()) ?? {});
  const values = coerced(schema, withOverrides(inFile, overrides)) ?? {};
  const result = schema.safeParse(values);
  if (!result.success) {
    const problems = result.error.issues.map(
      (issue) => `${placeOf(issue.path)}: ${issue.path.join('.') || 'file'}: ${issue.message}`,
    );
    throw new DragonflyError('CONFIG_INVALID', problems.join('\n'), {
      hint: 'docs/config.md lists every key with its type and default.',
    });
  }
  const warnings = oddKeys(schema, values, []).map(({ keys, what }) => `${placeOf(keys)}: ${what}`);
  const idle = [...new Set(idleKeys(schema, values, ''))];
  return {
    config: deepFreeze(result.data),
    warnings: [...warnings, ...(idle.length === 0 ? [] : [`${path}: taken without effect: ${idle.join(', ')}`])],
  };
}

/** A key that files contain in the wrong place: it is read there as well, with a warning that names the right place. */
export function misplaced<S extends z.ZodType>(schema: S, belongsAt: string): S {
  return schema.meta({ belongsAt });
}

/** Has no effect here: accepted so that files of the original load, and listed once at start. */
export const ignored = z
  .unknown()
  .transform(() => undefined)
  .optional();

/** Like `ignored`, for keys that get a message of their own where they matter. */
export const noted = z.unknown().optional().meta({ noted: true });

/** Keys by which the original's services limit the size of their log files. */
export const logRotationKeys = {
  logMaxSize: z.number().positive().default(1024).describe('MiB after which a log file is put aside'),
  logMaxAge: z.number().min(0).default(7).describe('days a log file put aside is kept; 0 for ever'),
  logMaxBackups: z.int().min(0).default(20).describe('log files put aside that are kept; 0 for all'),
};

/** @param keys as parsed by `logRotationKeys`. */
export function logRotation(keys: {
  readonly logMaxSize: number;
  readonly logMaxAge: number;
  readonly logMaxBackups: number;
}): LogRotation {
  const { logMaxSize, logMaxAge, logMaxBackups } = keys;
  return { maxBytes: logMaxSize * 2 ** 20, maxAgeMs: logMaxAge * 86_400_000, maxBackups: logMaxBackups };
}

/** A duration key: `30s`, `1m30s`; milliseconds in the typed object. */
export function durationMs(defaultText: string): z.ZodType<number> {
  return z
    .union([z.string(), z.number()])
    .default(defaultText)
    .transform((value, context) => parsed(() => parseDurationMs(value), context));
}

/** A duration that a timer waits: anything longer than a timer's maximum, 24 days, is cut to that instead of expiring at once. */
export function timerMs(defaultText: string): z.ZodType<number> {
  return durationMs(defaultText).transform((ms) => Math.min(ms, 2 ** 31 - 1));
}

/** A size or rate key: `4MiB`, `1000Gi`; bytes in the typed object. */
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
      ? (pairOf(node, (name) => name === key) ??
        pairOf(node, (name) => name.toLowerCase() === String(key).toLowerCase()))
      : undefined;
    if (pair && isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
    node = pair ? pair.value : (node as { items?: unknown[] } | null)?.items?.[key as number];
    const range = (node as { range?: readonly number[] } | null | undefined)?.range;
    if (!pair && range) offset = range[0] ?? offset;
  }
  return offset;
}

function pairOf(map: YAMLMap, matches: (name: string) => boolean): Pair | undefined {
  return map.items.find((item) => isPair(item) && isScalar(item.key) && matches(String(item.key.value)));
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls);
  if (!isSection(value)) return value;
  return sectionOf(
    value,
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]): [string, unknown] => [key, withoutNulls(item)])
      .filter(([, item]) => item !== undefined),
  );
}

interface OddKey {
  readonly keys: readonly (string | number)[];
  readonly what: string;
}

function oddKeys(schema: unknown, value: unknown, path: readonly (string | number)[]): OddKey[] {
  const element = elementOf(schema);
  if (element !== undefined && Array.isArray(value)) {
    return value.flatMap((item, index) => oddKeys(element, item, [...path, index]));
  }
  const known = keysOf(schema);
  if (known === undefined || value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]): OddKey[] => {
    const keys = [...path, key];
    if (!Object.hasOwn(known, key)) return [{ keys, what: `unknown key ${keys.join('.')} is ignored` }];
    const belongsAt = known[key]?.meta()?.['belongsAt'];
    const what = `${keys.join('.')} is misplaced, it belongs at ${String(belongsAt)}; it is read here too`;
    return [...(belongsAt === undefined ? [] : [{ keys, what }]), ...oddKeys(known[key], item, keys)];
  });
}

/** Keys with a value that have no effect here. */
function idleKeys(schema: unknown, value: unknown, path: string): string[] {
  const element = elementOf(schema);
  if (element !== undefined && Array.isArray(value)) return value.flatMap((item) => idleKeys(element, item, path));
  const known = keysOf(schema);
  if (known === undefined || value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const inner = known[key];
    const name = path === '' ? key : `${path}.${key}`;
    if (inner === undefined || inner.meta()?.['noted'] === true) return [];
    return kindsOf(inner).has('unknown') ? [name] : idleKeys(inner, item, name);
  });
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
