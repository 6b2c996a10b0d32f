/** Two managers as processes of their own over one database server, one of them killed in the middle of things. */
// needs: postgres, initdb, mariadbd, mariadb-install-db
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stringify } from 'yaml';
import { ManagedProcess } from '../../src/cli/managed-process.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { engineKinds, eventually, type TestEngine } from './engines.ts';
import { startSwarm, type RegisteredSwarm } from './registered-swarm.ts';
import { RestClient } from './rest-client.ts';

const writes = 100;
const password = 'correct horse';

interface Replica {
  readonly process: ManagedProcess;
  readonly restPort: number;
  readonly grpcPort: number;
}

for (const kind of engineKinds.filter(({ name }) => name !== 'sqlite')) {
  describe(`replicas on ${kind.name}`, { skip: kind.missing }, () => {
    let engine: TestEngine;
    let directory: string;
    let origin: HttpOrigin;
    const replicas: Replica[] = [];
    let registered: RegisteredSwarm | undefined;

    before(async () => {
      engine = await kind.start();
      directory = await mkdtemp(join(tmpdir(), 'manager-replicas-'));
      origin = await HttpOrigin.start();
      const config = join(directory, 'manager.yaml');
      await writeFile(
        config,
        stringify({
          server: {
            grpc: { listenIP: '127.0.0.1', port: { start: 0 } },
            rest: { addr: '127.0.0.1:0' },
            encryptionKeyFile: join(directory, 'manager.key'),
          },
          database: await engine.newDatabase(),
          liveness: { timeout: '4s' },
        }),
      );
      const env = { DRAGONFLY_INITIAL_ROOT_PASSWORD: password };
      for (const name of ['first', 'second']) {
        const started = await ManagedProcess.start({
          name,
          program: 'manager',
          env,
          args: ['--config', config],
          logPath: join(directory, name),
        });
        const port = (listener: string): number => Number(started.address(listener).split(':').at(-1));
        replicas.push({ process: started, restPort: port('rest'), grpcPort: port('grpc') });
      }
    });
    after(async () => {
      await registered?.[Symbol.asyncDispose]();
      await Promise.all(replicas.map(({ process: replica }) => replica.stop()));
      await origin[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
      await engine[Symbol.asyncDispose]();
    });

    test('G12 with one killed during 100 writes and a preheat nothing is lost, nothing done twice, and liveness is right', async () => {
      const [doomed, survivor] = replicas as [Replica, Replica];
      const sessions = await Promise.all(
        replicas.map(({ restPort }) => new RestClient(restPort).signIn('root', password)),
      );
      const [first, second] = sessions as [RestClient, RestClient];
      registered = await startSwarm(doomed, ['seed-1']);

      const url = origin.add('/blob', { content: randomBytes(8_000_000), gated: true });
      origin.release('/blob', 1_000_000);
      const { id } = await first.ok<{ id: number }>('POST', '/api/v1/jobs', {
        type: 'preheat',
        args: { type: 'file', url },
      });
      const owner = async (): Promise<number> =>
        (await second.ok<{ progress: { running: number } }>('GET', `/api/v1/jobs/${id}`)).progress.running;
      await eventually(async () => assert.equal(await owner(), 1));

      // A client that knows both addresses, as one behind a load balancer, writes each row until one of them took it.
      const attempt = async (client: RestClient, name: string): Promise<boolean> => {
        const answer = await client
          .request('POST', '/api/v1/configs', { name, value: 'v', user_id: 1 })
          .catch(() => undefined);
        return answer?.status === 200 || answer?.status === 409;
      };
      const write = async (index: number): Promise<void> => {
        const name = `k${index}`;
        await eventually(async () => {
          assert.ok((index % 2 === 0 && (await attempt(first, name))) || (await attempt(second, name)));
        });
      };
      const all = Promise.all(Array.from({ length: writes }, (_, index) => write(index)));
      doomed.process.kill('SIGKILL');
      await all;
      const rows = await second.ok<{ name: string }[]>('GET', `/api/v1/configs?per_page=${writes * 2}`);
      assert.deepEqual(
        rows.map(({ name }) => name).toSorted(),
        Array.from({ length: writes }, (_, index) => `k${index}`).toSorted(),
      );

      // The scheduler's stream died with its manager: inactive until it comes back through the other.
      const state = async (): Promise<string | undefined> =>
        (await second.ok<{ state: string }[]>('GET', '/api/v1/schedulers'))[0]?.state;
      await eventually(async () => assert.equal(await state(), 'inactive'), 20_000);
      await registered.join(survivor);
      assert.equal(await state(), 'active');

      origin.release('/blob', Infinity);
      const job = await eventually(async () => {
        const found = await second.ok<{
          state: string;
          progress: { total: number };
          result: { job_states: { error: string }[] } | null;
        }>('GET', `/api/v1/jobs/${id}`);
        assert.notEqual(found.state, 'PENDING');
        return found;
      }, 60_000);
      assert.equal(job.state, 'SUCCESS', job.result?.job_states[0]?.error);
      assert.equal(job.progress.total, 1);
    });
  });
}
