/** The building blocks of message schemas. Every rule throws INVALID_ARGUMENT with the path of the field. */
import { isIP } from 'node:net';
import { parseDigest } from '../../core/digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import { isTaskId } from '../../core/ids.ts';

export type Rule = (value: unknown, path: string) => void;
export type MessageSchema = Readonly<Record<string, Rule>>;

/** Names checked against the message type, so that a renamed field cannot lose its rule silently. */
export function schema<T>(fields: { readonly [K in keyof T]?: Rule }): MessageSchema {
  return fields as MessageSchema;
}

export function fail(path: string, problem: string): never {
  throw new DragonflyError('INVALID_ARGUMENT', `${path} ${problem}`);
}

/** Applies the rule when the field is set. As in proto3, empty texts and zeros count as absent. */
export function optional(rule: Rule): Rule {
  return (value, path) => {
    if (value !== undefined && value !== '' && value !== 0) rule(value, path);
  };
}

export function text(maxLength = 1024): Rule {
  return (value, path) => {
    if (typeof value !== 'string' || value === '') fail(path, 'must not be empty');
    if (value.length > maxLength) fail(path, `is longer than ${maxLength} characters`);
  };
}

export function bytes(maxLength: number): Rule {
  return (value, path) => {
    if (!(value instanceof Uint8Array)) fail(path, 'must be bytes');
    if (value.length > maxLength) fail(path, `is longer than ${maxLength} bytes`);
  };
}

/** Visible ASCII: ids end up in file names, logs and metric labels. */
function identifier(maxLength: number): Rule {
  const allowed = /^[\x21-\x7e]+$/;
  return (value, path) => {
    if (typeof value !== 'string' || value === '') fail(path, 'must not be empty');
    if (value.length > maxLength) fail(path, `is longer than ${maxLength} characters`);
    if (!allowed.test(value) || value.includes('/')) fail(path, 'has characters that an id cannot have');
  };
}

export const hostId = identifier(320); // address, dash, host name of at most 253 characters, suffix
export const peerId = identifier(384);

export const taskId: Rule = (value, path) => {
  if (typeof value !== 'string' || !isTaskId(value)) fail(path, 'must be 64 lower-case hexadecimal digits');
};

export const hostname: Rule = (value, path) => {
  if (typeof value !== 'string' || value.length > 253 || !/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(value)) {
    fail(path, 'must be a host name');
  }
};

export const ip: Rule = (value, path) => {
  if (typeof value !== 'string' || isIP(value) === 0) fail(path, 'must be an IP address');
};

export const url: Rule = (value, path) => {
  if (typeof value !== 'string' || !URL.canParse(value)) fail(path, 'must be a URL with its scheme');
};

export const digest: Rule = (value, path) => {
  if (typeof value !== 'string') fail(path, 'must be a digest');
  if (/^blake3:[0-9a-f]{64}$/i.test(value)) return; // the protocol allows it; whoever cannot compute it reports that later
  try {
    parseDigest(value);
  } catch (error) {
    fail(path, `must be a digest: ${(error as Error).message}`);
  }
};

/** Both ends included. */
export function between(low: number, high: number): Rule {
  return (value, path) => {
    if (typeof value !== 'number' || !(value >= low && value <= high))
      fail(path, `must lie between ${low} and ${high}`);
  };
}

export const port = between(1, 65_535);
export const clusterId = between(1, Number.MAX_SAFE_INTEGER);

export function oneOf(...allowed: readonly string[]): Rule {
  return (value, path) => {
    if (typeof value !== 'string' || !allowed.includes(value)) fail(path, `must be one of ${allowed.join(', ')}`);
  };
}

export const required: Rule = (value, path) => {
  if (value === undefined || value === null) fail(path, 'is missing');
};

/** A nested message that may be absent. */
export function message(nested: MessageSchema): Rule {
  return (value, path) => {
    if (value === undefined || value === null) return;
    for (const [field, rule] of Object.entries(nested))
      rule((value as Record<string, unknown>)[field], `${path}.${field}`);
  };
}

export function each(rule: Rule, maxLength: number): Rule {
  return (value, path) => {
    if (!Array.isArray(value)) fail(path, 'must be a list');
    if (value.length > maxLength) fail(path, `has more than ${maxLength} entries`);
    value.forEach((item, index) => rule(item, `${path}[${index}]`));
  };
}

export function all(...rules: readonly Rule[]): Rule {
  return (value, path) => rules.forEach((rule) => rule(value, path));
}

/** One member must be set; members with a schema are validated. */
export function oneofMember(members: Readonly<Record<string, MessageSchema>> = {}): Rule {
  return (value, path) => {
    if (value === undefined || value === null) fail(path, 'must have one member set');
    const { $case, value: member } = value as { $case: string; value: unknown };
    const nested = Object.hasOwn(members, $case) ? members[$case] : undefined;
    if (nested) message(nested)(member, $case);
  };
}

/** google.protobuf.Duration within seconds, both ends included. */
export function duration(lowSeconds: number, highSeconds: number): Rule {
  return (value, path) => {
    const { seconds, nanos } = (value ?? {}) as { seconds?: number; nanos?: number };
    if (typeof seconds !== 'number' || typeof nanos !== 'number' || nanos < 0 || nanos > 999_999_999) {
      fail(path, 'must be a duration');
    }
    if (seconds < lowSeconds || seconds + nanos / 1e9 > highSeconds) {
      fail(path, `must lie between ${lowSeconds} s and ${highSeconds} s`);
    }
  };
}

/** Any duration that is not negative and at most ten years. */
export const anyDuration: Rule = (value, path) => {
  if (value !== undefined) duration(0, 315_360_000)(value, path);
};
