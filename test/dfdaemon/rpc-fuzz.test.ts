/**
 * DF2-6/9: every call of a daemon, with messages nobody sends. The corpus is one well-formed request per call; each try
 * changes members of it, or its bytes. Whatever comes, the daemon answers with a status, keeps what it has, and goes on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { DfdaemonDownloadDefinition, DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../gen/dfdaemon/v2/local.ts';
import { firstFuzzSeed, FuzzRandom, fuzzSeconds } from '../support/fuzz.ts';
import { brokenOff, call, hostileRequest, targetsOf, type Target } from '../support/fuzz-calls.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

const content = Buffer.alloc(300_000, 'well-formed ');
const callsAtOnce = 8;

test(
  `DF2-6/9 no message harms the daemon, from seed ${firstFuzzSeed}`,
  { timeout: (fuzzSeconds + 200) * 1000 },
  async () => {
    await using cleanup = new AsyncDisposableStack();
    const [swarm, origin] = [cleanup.use(await LocalSwarm.create()), cleanup.use(await HttpOrigin.start())];
    const url = origin.add('/file', { content });
    // Names and addresses that come about by chance are not asked.
    const yaml = { adjust: (config: Config) => ({ ...config, download: { ...config.download, egress } }) };
    // A scheduler that is away, at the address the calls come from: they have the rights of one.
    const daemon = await swarm.startDaemon('daemon', { ...yaml, schedulers: ['127.0.0.1:1'] });
    const kept = await swarm.download(daemon, { url });
    assert.equal(kept.bytesFromOrigin, content.length);
    const taskId = (await swarm.client(daemon).listLocalTasks({})).tasks[0]?.taskId ?? '';

    const local = swarm.channels.get(`unix:${daemon.socket}`).client;
    const remote = swarm.channels.get(daemon.service.addresses['peer'] ?? '').client;
    const targets = [
      ...targetsOf(remote, DfdaemonUploadDefinition),
      ...targetsOf(local, DfdaemonDownloadDefinition),
      ...targetsOf(local, DfdaemonLocalDefinition),
    ] as unknown as readonly [Target, ...Target[]];
    const seen = new Map<string, Set<number>>();
    const endMs = performance.now() + fuzzSeconds * 1000;
    let seed = firstFuzzSeed;
    const fuzz = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const own = (seed += 1);
        const random = new FuzzRandom(own);
        const target = random.pick(targets);
        const bytes = hostileRequest(random, target.method, { taskId, url });
        if (!bytes) continue;
        const name = `${target.service.fullName}/${target.method.name}`;
        const code = await call(target, bytes);
        seen.set(name, (seen.get(name) ?? new Set()).add(code));
        assert.notEqual(code, brokenOff, `${name} ended without a word of the daemon, seed ${own}`);
        assert.notEqual(code, status.UNKNOWN, `${name} has an error without a name, seed ${own}`);
      }
    };
    await Promise.all(Array.from({ length: callsAtOnce }, fuzz));

    assert.ok(
      [...seen.values()].some((codes) => codes.has(status.OK)),
      'no call went well: the fuzzer is too rough',
    );
    await waitFor('the downloads under way to end', async () => {
      const { tasks } = await swarm.client(daemon).listLocalTasks({});
      return tasks.every(({ uploadingCount }) => uploadingCount === 0);
    });
    const again = await swarm.download(daemon, { url: origin.add('/after', { content: Buffer.from('after all') }) });
    assert.equal(again.bytesFromOrigin, 9, 'the daemon still downloads');
  },
);

type Config = Parameters<NonNullable<NonNullable<Parameters<LocalSwarm['startDaemon']>[1]>['adjust']>>[0];
const egress: Config['download']['egress'] = { allow: ['127.0.0.1/32'], deny: [] };
