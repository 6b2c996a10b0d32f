import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { parseContentRange, parseRangeHeader, resolveRange } from './byte-range.ts';
import { environmentOverrides, flagOverrides, type ConfigOverride } from './config/config-overrides.ts';
import { emptyMeansNone } from './config/config-schema.ts';
import { bytes, durationMs, misplaced, parseConfig, section, timerMs } from './config/config.ts';
import { DigestStream, parseDigest } from './digest.ts';
import { DragonflyError, toDragonflyError } from './errors.ts';
import { HashRing } from './hash-ring.ts';
import { defaultPieceLength, pieceLayout, pieceSpan, piecesOfRange } from './piece-layout.ts';
import { RateLimiter } from './rate-limiter.ts';
import { redact } from './redact.ts';
import { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from './units.ts';

const mebibyte = 2 ** 20;

describe('units', () => {
  test('sizes are powers of 1024 in every spelling', () => {
    const cases: [string | number, number][] = [
      ['4MiB', 4 * mebibyte],
      ['1000Gi', 1000 * 2 ** 30],
      ['20m', 20 * mebibyte],
      ['512', 512],
      ['1.5k', 1536],
      [7, 7],
      ['10240Mi', 10 * 2 ** 30],
    ];
    for (const [text, expected] of cases) assert.equal(parseBytes(text), expected, String(text));
    for (const bad of ['', 'x', '4 apples', '-1', 'NaN'])
      assert.throws(() => parseBytes(bad), { code: 'INVALID_ARGUMENT' }, bad);
  });

  test('durations add up their parts, bare numbers are nanoseconds', () => {
    assert.equal(parseDurationMs('1m30s'), 90_000);
    assert.equal(parseDurationMs('72h'), 259_200_000);
    assert.equal(parseDurationMs('1500ms'), 1500);
    assert.equal(parseDurationMs(5_000_000), 5);
    for (const bad of ['', 'soon', '3x', '3s!', '1m banana'])
      assert.throws(() => parseDurationMs(bad), { code: 'INVALID_ARGUMENT' }, bad);
  });

  test('are written for people', () => {
    assert.equal(formatBytes(1536), '1.5 KiB');
    assert.equal(formatBytes(12), '12 B');
    assert.equal(formatDurationMs(83_000), '1m23s');
    assert.equal(formatDurationMs(1234), '1.2s');
  });
});

test('piece length is the next power of two of a 500th, from 4 to 64 MiB', () => {
  assert.equal(defaultPieceLength(0), 4 * mebibyte);
  assert.equal(defaultPieceLength(2000 * mebibyte), 4 * mebibyte);
  assert.equal(defaultPieceLength(2001 * mebibyte + 500), 8 * mebibyte);
  assert.equal(defaultPieceLength(2 ** 40), 64 * mebibyte);
});

test('pieces tile the content exactly', () => {
  for (const size of [0, 1, 4 * mebibyte - 1, 4 * mebibyte, 4 * mebibyte + 1, 200 * mebibyte]) {
    const layout = pieceLayout(size);
    let offset = 0;
    for (let number = 0; number < layout.pieceCount; number += 1) {
      const span = pieceSpan(layout, number);
      assert.equal(span.offset, offset);
      offset += span.length;
    }
    assert.equal(offset, size);
  }
  assert.deepEqual(piecesOfRange(pieceLayout(9 * mebibyte), 4 * mebibyte - 1, 2), { first: 0, last: 1 });
});

test('byte ranges', () => {
  const resolved = (header: string, length: number) =>
    (parseRangeHeader(header) ?? []).map((spec) => resolveRange(spec, length));
  assert.deepEqual(resolved('bytes=0-9', 100), [{ start: 0, length: 10 }]);
  assert.deepEqual(resolved('bytes=90-', 100), [{ start: 90, length: 10 }]);
  assert.deepEqual(resolved('bytes=-5', 100), [{ start: 95, length: 5 }]);
  assert.deepEqual(resolved('bytes=100-', 100), [undefined]);
  assert.deepEqual(resolved('bytes=0-0, 5-200', 10), [
    { start: 0, length: 1 },
    { start: 5, length: 5 },
  ]);
  for (const bad of ['bytes=5-2', 'items=0-1', 'bytes=', 'bytes=a-b', 'bytes=-'])
    assert.equal(parseRangeHeader(bad), undefined, bad);
  assert.deepEqual(parseContentRange('bytes 0-9/*'), { range: { start: 0, length: 10 }, totalBytes: undefined });
  assert.equal(parseContentRange('bytes 0-9/5'), undefined);
});

test('digests parse, compute and reject', () => {
  const value = new DigestStream('sha256').update(Buffer.from('a')).update(Buffer.from('bc')).finish().value;
  assert.equal(value, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(new DigestStream('crc32').update(Buffer.from('123456789')).finish().value, String(0xcbf43926));
  assert.deepEqual(parseDigest(`sha256:${value.toUpperCase()}`), { algorithm: 'sha256', value });
  for (const bad of ['sha256:zz', 'sha257:aa', 'sha256', 'a:b:c', 'toString:x'])
    assert.throws(() => parseDigest(bad), { code: 'INVALID_ARGUMENT' }, bad);
});

test('the digest of parts is what object stores make of them, however the content is cut on the way', () => {
  const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();
  const content = Buffer.alloc(2_500_000, 'parts');
  const parts = [0, 1_000_000, 2_000_000].map((from) => content.subarray(from, from + 1_000_000));
  const expected = `${md5(Buffer.concat(parts.map(md5))).toString('hex')}-3`;
  for (const step of [64_000, 999_999, 1_000_000, 2_500_000]) {
    const stream = new DigestStream('md5x1000000');
    for (let at = 0; at < content.length; at += step) stream.update(content.subarray(at, at + step));
    assert.equal(stream.finish().value, expected);
  }
  assert.equal(parseDigest(`md5x1000000:${expected}`).value, expected);
  for (const bad of [`md5x1:${expected}`, `md5x1000000:${expected.slice(0, 32)}`, `md5x1000000:${expected}00000`])
    assert.throws(() => parseDigest(bad), { code: 'INVALID_ARGUMENT' }, bad);
});

describe('hash ring', () => {
  test('moves only the keys of a node that leaves', () => {
    const before = new HashRing(['a', 'b', 'c', 'd']);
    const after = new HashRing(['a', 'b', 'd']);
    for (let i = 0; i < 1000; i += 1) {
      const [owner, next] = before.owners(`task-${i}`);
      assert.equal(after.owners(`task-${i}`)[0], owner === 'c' ? next : owner);
    }
  });

  test('shares keys within bounds and lists every node once', () => {
    const ring = new HashRing(Array.from({ length: 10 }, (_, i) => `10.0.0.${i}:8002`));
    const counts = new Map<string, number>();
    for (let i = 0; i < 10_000; i += 1) {
      const owner = ring.owners(`task-${i}`)[0] ?? '';
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    assert.ok(Math.max(...counts.values()) < 1500 && Math.min(...counts.values()) > 600, JSON.stringify([...counts]));
    assert.equal(new Set(ring.owners('x')).size, 10);
    assert.deepEqual(new HashRing([]).owners('x'), []);
  });
});

test('rate limiter holds the rate over time on a fake clock, in order', async () => {
  let now = 0;
  const clock = { nowMs: () => now, sleep: (ms: number) => ((now += ms), Promise.resolve()) };
  const limiter = new RateLimiter(1000, 100, clock);
  await Promise.all(Array.from({ length: 21 }, () => limiter.acquire(100)));
  assert.ok(now >= 1990 && now <= 2030, `2000 tokens past the burst at 1000/s took ${now} ms`);
});

describe('configuration', () => {
  const schema = z.object({
    upload: section({ rateLimit: bytes('1024Mi'), port: z.int().min(1).max(65_535).default(65_002) }),
    aliveTime: durationMs('5m'),
    rules: z.array(z.object({ regx: z.string() })).default([]),
  });

  test('gives defaults, reads units, ignores nulls, freezes', () => {
    const { config } = parseConfig(schema, 'upload:\n  rateLimit: 20Mi\n  port: null\naliveTime: 0s\n', 'x.yaml');
    assert.deepEqual(config, { upload: { rateLimit: 20 * mebibyte, port: 65_002 }, aliveTime: 0, rules: [] });
    assert.ok(Object.isFrozen(config.upload));
    assert.equal(parseConfig(schema, '', 'x.yaml').config.aliveTime, 300_000);
  });

  test('names file, line and key of a bad value', () => {
    assert.throws(
      () => parseConfig(schema, 'aliveTime: 1s\nupload:\n  port: 99999\n', 'dfget.yaml'),
      (error: DragonflyError) => {
        assert.equal(error.code, 'CONFIG_INVALID');
        assert.match(error.message, /dfget\.yaml:3: upload\.port: /);
        return true;
      },
    );
    assert.throws(() => parseConfig(schema, 'rules:\n- regx: a\n- regx: [5]\n', 'a.yaml'), /a\.yaml:3: rules\.1\.regx/);
    assert.throws(() => parseConfig(schema, 'a: [', 'a.yaml'), { code: 'CONFIG_INVALID' });
  });

  test('takes types and spellings as the loaders of the original do', () => {
    const loose = z.object({
      count: z.int().default(3),
      on: z.boolean().default(true),
      name: z.string().default('fallback'),
      note: emptyMeansNone(z.string().default('a&b').describe('text')),
      kind: z.enum(['', 'one', '2']).default('one'),
      port: z.union([z.int(), z.object({ start: z.int() })]).default(1),
      wait: durationMs('5s'),
      every: timerMs('1m'),
      list: z.array(z.string()).default(['x']),
      dynConfig: section({ caCert: z.string().optional() }),
    });
    const cases: readonly [string, object][] = [
      ['count: "1"', { count: 1 }],
      ["count: ''", { count: 3 }],
      ['on: "false"', { on: false }],
      ['on: 0', { on: false }],
      ['on: yes', { on: true }],
      ["name: ''", { name: 'fallback' }],
      ['name: 1.10', { name: '1.10' }],
      ['name: true', { name: 'true' }],
      ["note: ''", { note: '' }],
      ["kind: ''", { kind: '' }],
      ['kind: 2', { kind: '2' }],
      ['port: "65001"', { port: 65_001 }],
      ['port: {start: "7"}', { port: { start: 7 } }],
      ["wait: ''", { wait: 5000 }],
      ['every: 1000h', { every: 2 ** 31 - 1 }],
      ["every: ''", { every: 60_000 }],
      ['list: one, two', { list: ['one', 'two'] }],
      ['list: 1', { list: ['1'] }],
      ["list: ''", { list: [] }],
      ['dynconfig: {cacert: 12}', { dynConfig: { caCert: '12' } }],
      ['Count: 2', { count: 2 }],
    ];
    for (const [text, expected] of cases) {
      const { config, warnings } = parseConfig(loose, text, 'a.yaml');
      assert.deepEqual({ ...config, ...expected }, config, text);
      assert.deepEqual(warnings, [], text);
    }
    assert.deepEqual(parseConfig(loose, "port: { start: '' }", 'a.yaml'), parseConfig(loose, 'port: null', 'a.yaml'));
    const set = flagOverrides(['dynconfig.cacert=12', 'NAME=1.0']);
    assert.deepEqual(
      parseConfig(loose, 'dynConfig: {caCert: a}\nname: b', 'a.yaml', set).config.dynConfig.caCert,
      '12',
    );
    assert.throws(() => parseConfig(loose, 'name: x\ncount: many', 'a.yaml'), /a\.yaml:2: count: /);
    assert.throws(() => parseConfig(loose, 'dynconfig:\n  cacert: [1]', 'a.yaml'), /a\.yaml:2: dynConfig\.caCert: /);
  });

  test('warns of unknown keys with their line, also inside lists', () => {
    const { warnings } = parseConfig(schema, 'upload:\n  speed: 1\nrules:\n  - regx: a\n    direct: true\n', 'a.yaml');
    assert.deepEqual(warnings, [
      'a.yaml:2: unknown key upload.speed is ignored',
      'a.yaml:5: unknown key rules.0.direct is ignored',
    ]);
  });
});

describe('keys given outside the file', () => {
  const schema = z.object({
    upload: section({ rateLimit: bytes('1024Mi'), tcpListen: section({ port: z.int().max(65_535).default(65_002) }) }),
    rules: z.array(z.object({ regx: z.string() })).default([]),
    old: misplaced(z.object({ enable: z.boolean() }).optional(), 'upload.enable'),
  });
  const text = 'upload:\n  rateLimit: 1Mi\n  tcpListen: {port: 1}\n';

  test('a flag wins over the environment, that over the file', () => {
    const env = { X_UPLOAD_RATELIMIT: '2Mi', X_UPLOAD_TCPLISTEN_PORT: '2', X_RULES: '[{regx: a}]', Y_RULES: 'b' };
    const overrides = [...environmentOverrides(schema, 'x', env), ...flagOverrides(['upload.tcpListen.port=3'])];
    const { config, warnings } = parseConfig(schema, text, 'a.yaml', overrides);
    assert.deepEqual(config, { upload: { rateLimit: 2 * mebibyte, tcpListen: { port: 3 } }, rules: [{ regx: 'a' }] });
    assert.deepEqual(warnings, []);
  });

  test('messages name where a bad or unknown key was given', () => {
    const given = (...overrides: ConfigOverride[]) => parseConfig(schema, text, 'a.yaml', overrides);
    const environment = environmentOverrides(schema, 'x', { X_UPLOAD_TCPLISTEN_PORT: '99999' });
    assert.throws(() => given(...environment), /\bX_UPLOAD_TCPLISTEN_PORT: upload\.tcpListen\.port: /);
    assert.throws(() => given(...flagOverrides(['rules=[{regx: [1]}]'])), /--set rules: rules\.0\.regx: /);
    assert.deepEqual(given(...flagOverrides(['upload.speed=1'])).warnings, [
      '--set upload.speed: unknown key upload.speed is ignored',
    ]);
    assert.throws(() => flagOverrides(['upload']), { code: 'INVALID_ARGUMENT' });
  });

  test('a misplaced key is read, and told with its line and the right place', () => {
    const { config, warnings } = parseConfig(schema, 'rules: []\nold:\n  enable: true\n', 'a.yaml');
    assert.deepEqual(config.old, { enable: true });
    assert.deepEqual(warnings, ['a.yaml:2: old is misplaced, it belongs at upload.enable; it is read here too']);
  });
});

test('errors keep system meaning and never carry credentials', () => {
  const full = toDragonflyError(Object.assign(new Error('write failed'), { code: 'ENOSPC' }));
  assert.equal(full.code, 'NO_SPACE');
  assert.ok(full.hint);
  const secret = new DragonflyError(
    'SOURCE_STATUS',
    'GET https://me:pw@host/x?X-Amz-Signature=abc&a=1 with Bearer tok.en failed',
  );
  assert.equal(secret.message, 'GET https://***@host/x?X-Amz-Signature=***&a=1 with Bearer *** failed');
  assert.equal(redact('plain text'), 'plain text');
});
