import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DragonflyError } from '../core/errors.ts';
import { firstAvailable } from './first-available.ts';

const away = (name: string): DragonflyError => new DragonflyError('UNAVAILABLE', `${name} is away`);
const noneLeft = (cause: unknown): Error => new DragonflyError('UNAVAILABLE', 'nobody', { cause });

test('the first that is available answers; those before it are named', async () => {
  const failed: string[] = [];
  const attempt = async (name: string): Promise<string> => {
    if (name === 'c') return name;
    throw away(name);
  };
  const onFailure = (name: string): void => void failed.push(name);
  assert.equal(await firstAvailable(['a', 'b', 'c', 'd'], attempt, { signal: undefined, onFailure, noneLeft }), 'c');
  assert.deepEqual(failed, ['a', 'b']);
});

test('any other error ends the search, and so does an abort', async () => {
  const controller = new AbortController();
  const tried: string[] = [];
  const attempt = async (name: string): Promise<string> => {
    tried.push(name);
    if (name === 'wrong') throw new DragonflyError('INVALID_ARGUMENT', 'no');
    if (name === 'last') controller.abort(new Error('enough'));
    throw away(name);
  };
  const { signal } = controller;
  await assert.rejects(firstAvailable(['a', 'wrong', 'b'], attempt, { signal, noneLeft }), {
    code: 'INVALID_ARGUMENT',
  });
  await assert.rejects(firstAvailable(['last', 'b'], attempt, { signal, noneLeft }), { message: 'enough' });
  assert.deepEqual(tried, ['a', 'wrong', 'last']);
});

test('the last failure is the cause when nobody is left', async () => {
  const options = { signal: undefined, noneLeft };
  const refused = (name: string): Promise<never> => Promise.reject(away(name));
  await assert.rejects(firstAvailable(['a', 'b'], refused, options), { message: 'nobody', cause: away('b') });
  await assert.rejects(firstAvailable([], refused, options), { message: 'nobody' });
});
