import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { createLogger } from '../process/logger.ts';
import { RotatingFile, type LogRotation } from './rotating-file.ts';

const dayMs = 86_400_000;
let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rotating-'));
  path = join(directory, 'daemon', 'core.log');
});
afterEach(() => rmSync(directory, { recursive: true }));

const keepAll: LogRotation = { maxBytes: 30, maxAgeMs: 0, maxBackups: 0 };
const names = (): string[] => readdirSync(join(directory, 'daemon')).sort();
const text = (name: string): string => readFileSync(join(directory, 'daemon', name), 'utf8');

/** Lines of ten bytes. */
function writeLines(rotation: LogRotation, count: number): void {
  using file = new RotatingFile(path, rotation);
  for (let line = 0; line < count; line += 1) file.write(`line ${String(line).padStart(4, '0')}\n`);
}

describe('RotatingFile', () => {
  test('puts whole files aside, and loses no line', () => {
    writeLines(keepAll, 10);
    assert.equal(names().length, 4);
    assert.ok(names().every((name) => /^core(-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})?\.log$/.test(name)));
    const whole = names()
      .map((name) => text(name))
      .sort()
      .join('');
    assert.equal(whole, Array.from({ length: 10 }, (_, line) => `line ${String(line).padStart(4, '0')}\n`).join(''));
  });

  test('goes on with the file of the last run', () => {
    writeLines(keepAll, 2);
    writeLines(keepAll, 1);
    assert.deepEqual(names(), ['core.log']);
    assert.equal(text('core.log').length, 30);
    writeLines(keepAll, 1);
    assert.equal(text('core.log').length, 10);
  });

  test('keeps so many files, and none that is too old', () => {
    writeLines({ ...keepAll, maxBackups: 2 }, 40);
    assert.equal(names().length, 3);
    const nowMs = Date.now();
    const old = (days: number): string =>
      `core-${new Date(nowMs - days * dayMs).toISOString().slice(0, -1).replaceAll(':', '-')}.log`;
    for (const name of [old(3), old(1), 'core-notes.log', 'other.log'])
      writeFileSync(join(directory, 'daemon', name), 'x');
    writeLines({ ...keepAll, maxAgeMs: 2 * dayMs }, 1);
    const left = names();
    assert.ok(!left.some((name) => name.startsWith(old(3).slice(0, 15))), left.join());
    assert.ok(left.includes(old(1)) && left.includes('core-notes.log') && left.includes('other.log'));
  });

  test('a line longer than a file is written whole', () => {
    {
      using file = new RotatingFile(path, { ...keepAll, maxBytes: 4 });
      file.write('a long line\n');
    }
    assert.equal(text('core.log'), 'a long line\n');
  });

  test('a disk that is full ends nothing', { skip: process.platform !== 'linux' }, () => {
    const full = openSync('/dev/full', 'w');
    assert.throws(() => writeSync(full, 'x'), { code: 'ENOSPC' });
    closeSync(full);
    mkdirSync(join(directory, 'daemon'));
    symlinkSync('/dev/full', path);
    using file = new RotatingFile(path, keepAll);
    file.write('lost\n');
    file.write('lost too\n');
  });

  test('the log of a service goes there; a directory that cannot be written is told', () => {
    const logger = createLogger('dfdaemon', { file: { path, rotation: { ...keepAll, maxBytes: 500 } } });
    for (let line = 0; line < 20; line += 1) logger.info({ line }, 'hello');
    assert.ok(names().length > 1);
    writeFileSync(join(directory, 'a file'), '');
    assert.throws(() => createLogger('x', { file: { path: join(directory, 'a file', 'x.log'), rotation: keepAll } }), {
      code: 'OUTPUT',
    });
  });
});
