/**
 * A log file that is rotated when it reaches its size: `core.log` becomes `core-2026-01-31T10-20-30.000.log`, and old
 * files are removed by number and age. Lines that cannot be written are dropped, because a full disk must not end the
 * service that logs about it.
 */
import { closeSync, fstatSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { makeDirectory } from './make-directory.ts';

export interface LogRotation {
  /** A file of this size is rotated before the next line. */
  readonly maxBytes: number;
  /** Rotated files older than this are removed; 0 for never. */
  readonly maxAgeMs: number;
  /** Number of rotated files that are kept; 0 for all. */
  readonly maxBackups: number;
}

const noSpaceRetryMs = 1000;
/** Whatever the umask is: who writes to a log says what a service has not. */
const mode = 0o644;

export class RotatingFile {
  readonly #path: string;
  readonly #rotation: LogRotation;
  #fd: number;
  #bytes: number;
  #deafUntilMs = 0;

  /** Throws when the file cannot be opened for appending. */
  constructor(path: string, rotation: LogRotation) {
    makeDirectory(dirname(path), 0o755);
    this.#path = path;
    this.#rotation = rotation;
    this.#fd = openSync(path, 'a', mode);
    this.#bytes = fstatSync(this.#fd).size;
    this.#removeOld();
  }

  write(line: string): void {
    if (performance.now() < this.#deafUntilMs) return;
    const bytes = Buffer.from(line);
    try {
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#rotation.maxBytes) this.#putAside();
      for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
      this.#bytes += bytes.length;
    } catch {
      this.#deafUntilMs = performance.now() + noSpaceRetryMs;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #putAside(): void {
    renameSync(this.#path, this.#freeName());
    const fd = openSync(this.#path, 'a', mode);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#bytes = 0;
    this.#removeOld();
  }

  /** The time of rotation; a later one where two fall into the same millisecond. */
  #freeName(): string {
    const taken = new Set(this.#backups().map(({ name }) => name));
    for (let timeMs = Date.now(); ; timeMs += 1) {
      const name = this.#backupName(timeMs);
      if (!taken.has(name)) return join(dirname(this.#path), name);
    }
  }

  #backupName(timeMs: number): string {
    const { stem, extension } = this.#nameParts();
    const time = new Date(timeMs).toISOString().slice(0, -1).replaceAll(':', '-');
    return `${stem}-${time}${extension}`;
  }

  #removeOld(): void {
    const { maxAgeMs, maxBackups } = this.#rotation;
    const newestFirst = this.#backups().sort((a, b) => b.timeMs - a.timeMs);
    const oldestMs = maxAgeMs > 0 ? Date.now() - maxAgeMs : -Infinity;
    for (const [index, { name, timeMs }] of newestFirst.entries()) {
      const excess = maxBackups > 0 && index >= maxBackups;
      if (excess || timeMs < oldestMs) rmSync(join(dirname(this.#path), name), { force: true });
    }
  }

  #backups(): { readonly name: string; readonly timeMs: number }[] {
    const { stem, extension } = this.#nameParts();
    return readdirSync(dirname(this.#path)).flatMap((name) => {
      if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return [];
      const text = name.slice(stem.length + 1, name.length - extension.length);
      const [, day, time] = /^(\d{4}-\d\d-\d\d)T(\d\d-\d\d-\d\d\.\d{3})$/.exec(text) ?? [];
      const timeMs = day === undefined ? Number.NaN : Date.parse(`${day}T${time?.replaceAll('-', ':')}Z`);
      return Number.isNaN(timeMs) ? [] : [{ name, timeMs }];
    });
  }

  #nameParts(): { readonly stem: string; readonly extension: string } {
    const extension = extname(this.#path);
    return { stem: basename(this.#path, extension), extension };
  }
}
