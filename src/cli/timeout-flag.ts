/** Parses `--timeout` as people write it: `90`, `90s`, `1m30s`, `0` for none. */
import { DragonflyError } from '../core/errors.ts';
import { parseDurationMs } from '../core/units.ts';

/** The longest time of Node's timers, a little less than 25 days. */
export const maxTimeoutMs = 2 ** 31 - 1;

/** A plain number counts seconds, as for curl and timeout(1). Undefined for none. Throws INVALID_ARGUMENT. */
export function parseTimeoutMs(text: string): number | undefined {
  const trimmed = text.trim();
  const isPlain = /^\d+(\.\d+)?$/.test(trimmed);
  const ms = isPlain ? Number(trimmed) * 1000 : parseDurationMs(trimmed);
  if (ms === 0) return undefined;
  if (ms <= maxTimeoutMs) return Math.max(1, Math.round(ms));
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is too long for --timeout`, {
    hint: 'Write 24d at most, or 0 for no limit.',
  });
}
