/**
 * Validation of incoming requests: a message that breaks a rule is INVALID_ARGUMENT before any handler sees it.
 *
 * Two layers: general bounds for every message (no text, list, map or byte field larger than any honest sender needs),
 * and one schema per message; fields without a rule only have the general bounds.
 */
import { DragonflyError } from '../../core/errors.ts';
import { commonSchemas } from './common-schemas.ts';
import { dfdaemonSchemas } from './dfdaemon-schemas.ts';
import { managerSchemas } from './manager-schemas.ts';
import type { MessageSchema } from './rules.ts';
import { schedulerSchemas } from './scheduler-schemas.ts';

const maxTextLength = 16_384;
const maxListLength = 65_536;
const maxMapEntries = 512;
const maxByteFieldLength = 72 * 2 ** 20; // the content of the largest piece; the message size bounds the sum
const maxDepth = 16;

const schemas: Readonly<Record<string, MessageSchema>> = {
  ...commonSchemas,
  ...dfdaemonSchemas,
  ...schedulerSchemas,
  ...managerSchemas,
};

/** @param type full name of the message. Throws INVALID_ARGUMENT that names the field. */
export function validate(type: string, message: unknown): void {
  const name = type.slice(type.lastIndexOf('.') + 1);
  checkBounds(message, name, 0);
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (!schema) return;
  for (const [field, check] of Object.entries(schema)) {
    check((message as Record<string, unknown>)[field], `${name}.${field}`);
  }
}

function checkBounds(value: unknown, path: string, depth: number): void {
  if (typeof value === 'string') {
    if (value.length > maxTextLength) reject(path, `is longer than ${maxTextLength} characters`);
    return;
  }
  if (typeof value !== 'object' || value === null || value instanceof Date) return;
  if (depth > maxDepth) reject(path, 'is nested too deeply');
  if (value instanceof Uint8Array) {
    if (value.length > maxByteFieldLength) reject(path, `is longer than ${maxByteFieldLength} bytes`);
    return;
  }
  if (Array.isArray(value)) {
    if (value.length > maxListLength) reject(path, `has more than ${maxListLength} entries`);
    if (typeof value[0] === 'number') return;
    for (const item of value) checkBounds(item, path, depth + 1);
    return;
  }
  const keys = Object.keys(value);
  if (keys.length > maxMapEntries) reject(path, `has more than ${maxMapEntries} entries`);
  for (const key of keys) checkBounds((value as Record<string, unknown>)[key], path, depth + 1);
}

function reject(path: string, problem: string): never {
  throw new DragonflyError('INVALID_ARGUMENT', `${path} ${problem}`);
}
