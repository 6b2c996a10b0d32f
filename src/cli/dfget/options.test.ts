import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import type { CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { flagTable } from './flags.ts';
import { parseDfgetOptions, type DfgetOptions } from './options.ts';

const url = 'https://host/file';

function io(env: CommandIo['env'] = {}): CommandIo & { readonly stdout: PassThrough } {
  const stdout = new PassThrough();
  return { stdin: process.stdin, stdout, stderr: new PassThrough(), env, signal: new AbortController().signal };
}

function parse(argv: readonly string[], env?: CommandIo['env']): DfgetOptions {
  const options = parseDfgetOptions([url, '-O', '/out', ...argv], io(env));
  assert.ok(options);
  return options;
}

describe('dfget options', () => {
  it('has the defaults of the original', () => {
    const options = parse([]);
    assert.equal(options.timeoutMs, 2 * 3_600_000);
    assert.equal(options.priority, 6);
    assert.equal(options.progress, true);
    assert.equal(options.endpoint, undefined);
    assert.deepEqual([options.overwrite, options.transfer, options.disableBackToSource], [false, false, false]);
  });

  it('knows the flags of the older generation', () => {
    assert.equal(parse(['-P', '3']).priority, 3);
    assert.equal(parse(['--disable-back-source']).disableBackToSource, true);
    assert.equal(parse(['--daemon-sock', '/s']).endpoint, '/s');
    assert.deepEqual(parse(['--filter', 'a&b', '--filtered-query-param', 'c']).filteredQueryParams, ['c', 'a', 'b']);
    for (const [text, ms] of [
      ['0', undefined],
      ['0s', undefined],
      ['90', 90_000],
      ['1m30s', 90_000],
      ['1.5ms', 2],
    ] as const) {
      assert.equal(parse(['--timeout', text]).timeoutMs, ms, text);
    }
    assert.equal(parse(['-b', '--verbose', '--workhome', '/w', '--ratelimit', '10M']).rateLimit, 10 * 2 ** 20);
    assert.equal(parse(['--ratelimit', '0']).rateLimit, undefined);
    const byFlag = parseDfgetOptions(['-u', url, '-O', '/out'], io());
    assert.equal(byFlag?.url, url);
  });

  it('takes the environment where no flag is given', () => {
    const env = { DFGET_PRIORITY: '2', DFGET_TAG: 'env', DFGET_NO_PROGRESS: 'true', DFGET_OVERWRITE: 'false' };
    const options = parse(['--tag', 'flag'], env);
    assert.deepEqual([options.priority, options.tag, options.progress, options.overwrite], [2, 'flag', false, false]);
  });

  it('takes the other names of standard output', () => {
    for (const name of ['-', '/dev/stdout', '/dev/fd/1']) {
      assert.equal(parseDfgetOptions([url, '-O', name], io())?.output, undefined, name);
    }
  });

  it('reads ranges, sizes and header', () => {
    assert.deepEqual(parse(['--range', '0-9']).range, { first: 0, last: 9 });
    assert.deepEqual(parse(['--range', '10-']).range, { first: 10, last: undefined });
    assert.equal(parse(['--piece-length', '8MiB']).pieceLengthBytes, 8 * 2 ** 20);
    assert.deepEqual(parse(['-H', 'A: b: c', '-H', 'D:e', '-H', 'D: f']).header, { A: 'b: c', D: 'e, f' });
  });

  it('never takes the URL for the format of the receipt', () => {
    for (const [flag, format] of [
      ['--receipt', 'text'],
      ['--receipt=json', 'json'],
    ] as const) {
      const options = parseDfgetOptions(['-O', '/out', flag, url], io());
      assert.deepEqual([options?.url, options?.receipt], [url, format]);
    }
  });

  it('collects what object storages and hubs need', () => {
    const storage = parse(['--storage-region', 'r', '--storage-insecure-skip-verify'], { DFGET_STORAGE_ENDPOINT: 'e' });
    assert.deepEqual(storage.objectStorage, { region: 'r', endpoint: 'e', insecureSkipVerify: true });
    const hub = parseDfgetOptions(['hf://owner/repo', '-O', '/out', '--hf-token', 't'], io());
    assert.deepEqual(hub?.hub, { revision: 'main', token: 't' });
  });

  it('refuses what cannot be meant, with a hint', () => {
    const wrong: readonly (readonly string[])[] = [
      ['--range', '9-1'],
      ['--range', '-5'],
      ['--range', '1-2,4-5'],
      ['--range', 'x'],
      ['--priority', '7'],
      ['--piece-length', '1MiB'],
      ['--timeout', 'soon'],
      ['--timeout', '25d'],
      ['--timeout', '99999999999'],
      ['--timeout=-5'],
      ['-H', 'no colon'],
      ['--receipt=xml'],
      ['--digest', 'sha256:1'],
      ['--range', '0-1', '--digest', `sha256:${'0'.repeat(64)}`],
      ['--force-hard-link', '--range', '0-1'],
      ['-r', '--accept-regex', '('],
      ['-r', '-I', '../up'],
      ['-r', '--max-files', '0'],
      ['second argument'],
      ['--unknown'],
    ];
    for (const argv of wrong) {
      assert.throws(
        () => parse(argv),
        (error) => error instanceof DragonflyError && error.code === 'INVALID_ARGUMENT' && error.hint !== undefined,
        argv.join(' '),
      );
    }
  });

  it('prints a help that names every flag that is not an alias', () => {
    const out = io();
    assert.equal(parseDfgetOptions(['--help'], out), undefined);
    const help = String(out.stdout.read());
    for (const { flags, env, alias } of flagTable) {
      const long = /--[a-z-]+/.exec(flags)?.[0] ?? flags;
      assert.equal(help.includes(`${long} `) || help.includes(`${long}\n`), alias !== true, long);
      if (env !== undefined) assert.ok(help.replace(/\s+/g, ' ').includes(env), env);
    }
  });
});
