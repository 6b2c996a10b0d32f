/** Splits a job's arguments into a form that people may see and an encrypted one. */
import { redact } from '../../core/redact.ts';
import type { Sealer } from '../access/sealer.ts';
import { parseJson } from '../clusters/types.ts';

const purpose = 'job';
const secretArgs = new Set(['password', 'object_storage', 'hdfs', 'content_for_calculating_task_id']);

/** The values for both columns of a new job. */
export function protectedArgs(args: Record<string, unknown>, sealer: Sealer): { args: string; sealed_args: string } {
  return { args: JSON.stringify(withoutSecrets(args)), sealed_args: sealArgs(args, sealer) };
}

export function sealArgs(args: Record<string, unknown>, sealer: Sealer): string {
  return sealer.seal(purpose, JSON.stringify(args));
}

/** Throws FAILED_PRECONDITION when they were sealed with another key. */
export function openArgs(sealed: string, sealer: Sealer): Record<string, unknown> {
  return parseJson<Record<string, unknown>>(sealer.open(purpose, sealed), {});
}

/** The arguments without passwords, header values and URL signatures. */
function withoutSecrets(args: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => {
      if (secretArgs.has(name) && value != null) return [name, '***'];
      if (name === 'headers') return [name, Object.fromEntries(Object.keys(value ?? {}).map((key) => [key, '***']))];
      if (typeof value === 'string') return [name, redact(value)];
      return [
        name,
        Array.isArray(value) ? value.map((item: unknown) => (typeof item === 'string' ? redact(item) : item)) : value,
      ];
    }),
  );
}
