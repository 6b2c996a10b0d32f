/**
 * Configuration keys given outside the file: `--set upload.rateLimit=20Mi`, or `DFDAEMON_UPLOAD_RATELIMIT=20Mi` in the
 * environment. Values are written as in the file, including lists and maps.
 */
import { keysOf } from './config-schema.ts';
import { parseValues } from './config-values.ts';
import { DragonflyError } from '../errors.ts';

export interface ConfigOverride {
  readonly keys: readonly string[];
  readonly value: unknown;
  /** Where the value came from, for messages. */
  readonly from: string;
}

/** Throws INVALID_ARGUMENT. */
export function flagOverrides(assignments: readonly string[]): ConfigOverride[] {
  return assignments.map((assignment) => {
    const [, path, text] = /^([^=]+)=(.*)$/s.exec(assignment) ?? [];
    if (path === undefined || text === undefined) {
      throw new DragonflyError('INVALID_ARGUMENT', `"${assignment}" sets nothing`, {
        hint: 'Write --set key=value, with dots in keys of sections: --set upload.rateLimit=20Mi.',
      });
    }
    return { keys: path.split('.'), value: valueOf(text), from: `--set ${path}` };
  });
}

/** One override for every key whose variable is set: `server.rest.addr` is `PREFIX_SERVER_REST_ADDR`. */
export function environmentOverrides(
  schema: unknown,
  prefix: string,
  env: Readonly<Record<string, string | undefined>>,
): ConfigOverride[] {
  return leavesOf(schema, []).flatMap((keys) => {
    const name = variableOf(prefix, keys);
    const text = env[name];
    return text === undefined ? [] : [{ keys, value: valueOf(text), from: name }];
  });
}

/** Applies the overrides to the values; later ones win. */
export function withOverrides(values: unknown, overrides: readonly ConfigOverride[]): unknown {
  return overrides.reduce((all, { keys, value }) => withValue(all, keys, value), values);
}

function withValue(values: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const section = values !== null && typeof values === 'object' && !Array.isArray(values) ? values : {};
  return { ...section, [key]: withValue((section as Record<string, unknown>)[key], rest, value) };
}

function leavesOf(schema: unknown, path: readonly string[]): string[][] {
  const keys = keysOf(schema);
  if (keys === undefined) return path.length === 0 ? [] : [[...path]];
  return Object.entries(keys).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}

function variableOf(prefix: string, keys: readonly string[]): string {
  return [prefix, ...keys]
    .join('_')
    .replace(/[^a-z0-9]/gi, '_')
    .toUpperCase();
}

/** Parses the text as YAML; text that is not YAML stays text. */
function valueOf(text: string): unknown {
  const document = parseValues(text);
  return document.errors.length > 0 ? text : (document.toJS() as unknown);
}
