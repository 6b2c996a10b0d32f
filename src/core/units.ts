/** Durations and byte sizes as people write them in configuration files and flags. */
import { DragonflyError } from './errors.ts';

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `1m30s`, `500ms`, `72h`, `30d` → milliseconds. A bare number counts nanoseconds, as in Go configuration files. */
export function parseDurationMs(text: string | number): number {
  if (typeof text === 'number') return text / 1e6;
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return Number(trimmed) / 1e6;
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0].replaceAll(' ', '')).join('') !== trimmed.replaceAll(' ', '')) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not a duration`, {
      hint: 'Write a number with a unit: 500ms, 30s, 1m30s, 72h.',
    });
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (durationUnits[part[2] ?? ''] ?? 0), 0);
}

const powers = 'kmgtpe';

/** `4MiB`, `1000Gi`, `10240Mi`, `20m`, `512` → bytes; every prefix is a power of 1024, as the original reads them. */
export function parseBytes(text: string | number): number {
  const match =
    typeof text === 'number' ? undefined : /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgtpe])i?)?b?(?:\/s)?\s*$/i.exec(text);
  const value =
    typeof text === 'number'
      ? text
      : match
        ? Number(match[1]) * 1024 ** (match[2] ? powers.indexOf(match[2].toLowerCase()) + 1 : 0)
        : Number.NaN;
  if (!Number.isFinite(value) || value < 0 || value > Number.MAX_SAFE_INTEGER) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not a size`, {
      hint: 'Write a number with a unit: 512KiB, 4MiB, 10Gi.',
    });
  }
  return Math.round(value);
}

/** 1536 → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 83_000 → `1m23s`; below ten seconds with one decimal. */
export function formatDurationMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60] as const;
  if (parts[0] > 0) return `${parts[0]}h${parts[1]}m`;
  return parts[1] > 0 ? `${parts[1]}m${parts[2]}s` : `${parts[2]}s`;
}
