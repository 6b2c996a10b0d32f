/** What tests from end to end start: this checkout, or the executable whose path is in DRAGONFLY_BINARY. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/', import.meta.url));
const executable = process.env['DRAGONFLY_BINARY'];

/** The words that start a program of it; its arguments follow. */
export function productCommand(program: string): [string, ...string[]] {
  if (executable === undefined) return [`${bin}${program}`];
  return program === 'dragonfly' ? [resolve(executable)] : [resolve(executable), program];
}
