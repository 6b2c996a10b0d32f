import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { runSimulate } from './command.ts';

async function output(...argv: string[]): Promise<string> {
  const stdout = new PassThrough();
  const io = {
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    env: {},
    signal: new AbortController().signal,
  };
  assert.equal(await runSimulate(argv, io), 0);
  return String(stdout.read());
}

test('prints one JSON object with the ratio and the copies', async () => {
  const result = JSON.parse(await output('--peers', '5', '--size', '20MB', '--seed', '7', '--json')) as Record<
    string,
    number
  >;
  for (const key of ['r', 'originCopies', 'timeToLastSeconds', 'fluidLimitSeconds'])
    assert.equal(typeof result[key], 'number', key);
  assert.equal(result['fluidLimitSeconds'], 0.2);
});

test('says what is wrong with a flag', async () => {
  await assert.rejects(output('--arm', 'forest'), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(output('--size', 'big'), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(output('--scenario', 'none'), { code: 'INVALID_ARGUMENT' });
});
