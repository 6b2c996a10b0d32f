/**
 * Any two of five nodes die at once, as in a power cut, the publisher among them or not: what was acknowledged with three replicas is on the other three,
 * through restarts of scheduler and manager.
 *
 * DRAGONFLY_KILLS=20 makes a soak of it; DRAGONFLY_SEED repeats one.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runDfcache } from '../../src/cli/dfcache/dfcache.ts';
import { makeRandomFile, type RandomFile } from '../support/random-file.ts';
import { waitFor } from '../support/wait-for.ts';
import { runTool } from '../cli/tool-io.ts';
import { mib, releaseLab, requireSame } from './release-lab.ts';

const rounds = Number(process.env['DRAGONFLY_KILLS'] ?? 2);
const seed = Number(process.env['DRAGONFLY_SEED'] ?? Date.now() % 1_000_000);
const nodes = 5;
const deadlineMs = 120_000;

test(`${rounds} times two of five nodes`, { timeout: 120_000 + rounds * 300_000 }, async (context) => {
  context.diagnostic(`DRAGONFLY_SEED=${seed}`);
  let state = seed >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  await using lab = await releaseLab(nodes);
  const { cluster, directory } = lab;
  const dfcache = async (peer: number, ...words: string[]): Promise<string> => {
    const { error, stdout } = await runTool(runDfcache, [...words, '-e', lab.peer(peer).socket]);
    if (error) throw error;
    return stdout.toString();
  };
  const imported: (RandomFile & { readonly id: string })[] = [];
  const output = directory.join('out');
  for (let round = 1; round <= rounds; round += 1) {
    const publisher = 1 + random(nodes);
    const file = await makeRandomFile(directory.join(`file-${round}`), 5 * mib + round);
    const done = await dfcache(publisher, 'import', file.path, '--persistent-replica-count', '3');
    imported.push({ ...file, id: /[0-9a-f]{64}/.exec(done)?.[0] ?? assert.fail(done) });
    const source = directory.join(`source-${round}`);
    await mkdir(source);
    await makeRandomFile(join(source, 'weights'), 6 * mib, `round ${round}`);
    const { error } = await lab.publish(publisher, source, `model@v${round}`, '--replicas', '3');
    assert.equal(error, undefined);

    const other = 1 + ((publisher + random(nodes - 1)) % nodes);
    const dead = round % 2 === 1 ? [publisher, other] : [other, 1 + (other % nodes)];
    const service = round % 2 === 1 ? 'manager' : 'scheduler-1';
    await Promise.all(dead.map((number) => cluster.kill(lab.peer(number).name)));
    await cluster.kill(service);
    await cluster.restart(service);
    context.diagnostic(`peers ${dead.join(' and ')} died, published at ${publisher}; ${service} restarted`);
    for (let number = 1; number <= nodes; number += 1) {
      if (dead.includes(number)) continue;
      for (const { id, sha256 } of imported) {
        await waitFor(
          `${id} at peer ${number}`,
          async () => (await dfcache(number, 'export', id, '-O', output, '--overwrite', '--timeout', '30s'), true),
          deadlineMs,
        );
        assert.equal(
          createHash('sha256')
            .update(await readFile(output))
            .digest('hex'),
          sha256,
        );
        await rm(output);
      }
      const path = directory.join(`subscribed-${number}`);
      await waitFor(
        `model@v${round} at peer ${number}`,
        async () => {
          const run = await lab.subscribe(number, 'model', path, '--version', `v${round}`);
          if (run.error) throw run.error;
          return true;
        },
        deadlineMs,
      );
      await requireSame(`${source}/`, `${path}/`);
    }
    for (const number of dead) await cluster.restart(lab.peer(number).name);
  }
});
