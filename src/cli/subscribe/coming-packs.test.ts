import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { signPack } from '../../core/credentials/release-signature.ts';
import { DragonflyError } from '../../core/errors.ts';
import type { ComingPack } from '../../../gen/manager/v2/release.ts';
import { loadComingPacks, type ComingPacksOptions } from './coming-packs.ts';

const plain = { name: 'm', version: 'v2', publicKey: '', signature: '' };

/** A daemon that tells these packs, once, and then that it knows no more of such calls. */
function daemonOf(packs: readonly ComingPack[], load: (taskId: string) => Promise<void>): ComingPacksOptions['daemon'] {
  let asked = 0;
  const watchPacks = async function* (): AsyncGenerator<ComingPack> {
    asked += 1;
    if (asked > 1) throw new DragonflyError('UNSUPPORTED', 'no such method');
    yield* packs;
  };
  const releases = { watchPacks } as unknown as ComingPacksOptions['daemon']['releases'];
  return { releases, load };
}

test('what comes is loaded, a few at a time, and what fails keeps nothing else from coming', async () => {
  const loaded: string[] = [];
  let running = 0;
  let most = 0;
  const packs = Array.from({ length: 9 }, (_, index) => ({ ...plain, taskId: String(index) }));
  const daemon = daemonOf(packs, async (taskId) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    loaded.push(taskId);
    if (taskId === '2') throw new DragonflyError('NOT_FOUND', 'gone');
  });
  await loadComingPacks({ daemon, name: 'm', requiredKeys: [], signal: new AbortController().signal });
  assert.deepEqual([loaded.toSorted().join(''), most], ['012345678', 3]);
});

test('where a key is required, content without its signature is not loaded', async () => {
  const [ours, theirs] = [generateKeyPairSync('ed25519').privateKey, generateKeyPairSync('ed25519').privateKey];
  const of = (taskId: string, key = ours, name = 'm'): ComingPack => ({
    ...plain,
    taskId,
    ...signPack({ name, version: 'v2', taskId }, key),
  });
  const packs = [
    of('a'),
    of('b', theirs),
    of('c', ours, 'other'),
    { ...of('d'), taskId: 'e' },
    { ...plain, taskId: 'f' },
  ];
  const loaded: string[] = [];
  const daemon = daemonOf(packs, async (taskId) => void loaded.push(taskId));
  const requiredKeys = [of('a').publicKey];
  await loadComingPacks({ daemon, name: 'm', requiredKeys, signal: new AbortController().signal });
  assert.deepEqual(loaded, ['a']);
});
