/**
 * Services die as in a power cut, at random instants of imports and of what follows them: what was acknowledged is there and right afterwards, and what
 * was not is either there and right, or not there.
 *
 * DRAGONFLY_KILLS=200 makes a soak of it; DRAGONFLY_SEED repeats one.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runDfcache } from '../../src/cli/dfcache/dfcache.ts';
import { LocalCluster, type LocalDaemon } from '../../src/cli/up/cluster.ts';
import { productCommand } from '../support/product.ts';
import { makeRandomFile, type RandomFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { runTool } from '../cli/tool-io.ts';

const kills = Number(process.env['DRAGONFLY_KILLS'] ?? 6);
const seed = Number(process.env['DRAGONFLY_SEED'] ?? Date.now() % 1_000_000);
const fileBytes = 24 * 2 ** 20;
const nodes = 4;
/** About as long as an import takes here. */
const instantMs = 1_500;

interface Imported extends RandomFile {
  readonly taskId: string;
  acknowledged: boolean;
}

test(`${kills} sudden deaths`, { timeout: 120_000 + kills * 60_000 }, async (context) => {
  context.diagnostic(`DRAGONFLY_SEED=${seed}`);
  const random = randomFrom(seed);
  await using directory = await temporaryDirectory('df-kill-');
  await using cluster = await LocalCluster.start({
    directory: directory.path,
    command: productCommand,
    peers: nodes,
    seeds: 0,
  });
  const imported: Imported[] = [];
  for (let round = 0; round < kills; round += 1) {
    const names = [...cluster.peers.map(({ name }) => name), 'scheduler-1', 'manager'];
    const victim = names[Math.floor(random() * names.length)] ?? '';
    const at = cluster.peers[Math.floor(random() * nodes)];
    assert.ok(at);
    const file = await makeRandomFile(directory.join(`f-${round}`), fileBytes);
    const entry = { ...file, taskId: await idOf(file), acknowledged: false };
    imported.push(entry);
    const importing = dfcache(at, 'import', file.path, '--timeout', '20s').then(({ error }) => {
      entry.acknowledged = error === undefined;
    });
    const waitMs = random() * instantMs;
    await delay(waitMs);
    await cluster.kill(victim);
    await importing;
    context.diagnostic(
      `${victim} died ${Math.round(waitMs)} ms into an import at ${at.name}: ${entry.acknowledged ? '' : 'not '}acknowledged`,
    );
    // Without the victim, before it comes back.
    if (victim.startsWith('peer')) await requireThere(cluster, imported, victim, directory.join('out'));
    await cluster.restart(victim);
    await requireThere(cluster, imported, undefined, directory.join('out'));
  }
  assert.ok(imported.some(({ acknowledged }) => acknowledged));
});

/** At a node that lives, and as it was when it went in. */
async function requireThere(
  cluster: LocalCluster,
  imported: readonly Imported[],
  dead: string | undefined,
  output: string,
): Promise<void> {
  const living = cluster.peers.filter(({ name }) => name !== dead);
  for (const [index, { taskId, sha256, acknowledged }] of imported.slice(-3).entries()) {
    const at = living[index % living.length];
    assert.ok(at);
    const words = ['export', taskId, '-O', output, '--overwrite', '--timeout', '30s'];
    const got = async (): Promise<boolean> => {
      const { error } = await dfcache(at, ...words);
      if (error) throw error;
      return true;
    };
    if (acknowledged) await waitFor(`${taskId} at ${at.name}`, got, 60_000);
    else if (!(await got().catch(() => false))) continue;
    assert.equal(
      createHash('sha256')
        .update(await readFile(output))
        .digest('hex'),
      sha256,
    );
    await rm(output);
  }
}

function dfcache(daemon: LocalDaemon, ...words: string[]): ReturnType<typeof runTool> {
  return runTool(runDfcache, [...words, '-e', join(daemon.directory, 'dfdaemon.sock')]);
}

async function idOf({ path }: RandomFile): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .update('PERSISTENT_CACHE')
    .digest('hex');
}

/** A repeatable sequence in 0 … 1. */
function randomFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
