/** A real scheduler, registered at a manager, and real daemons that the scheduler knows. */

import { ManagerDefinition, SourceType } from '../../../gen/manager/v2/manager.ts';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { eventually } from './engines.ts';
import { TestClient } from './grpc-client.ts';

/** A manager, by its port. */
interface Joined {
  readonly grpcPort: number;
}

export interface RegisteredSwarm extends AsyncDisposable {
  readonly swarm: LocalSwarm;
  /** Keeps alive at this manager as well. */
  join(manager: Joined): Promise<void>;
}

/** Daemons whose names begin with `seed` are seed peers. Resolves when the scheduler knows them all. */
export async function startSwarm(manager: Joined, daemons: readonly string[]): Promise<RegisteredSwarm> {
  const started = new AsyncDisposableStack();
  const swarm = started.use(await LocalSwarm.create());
  const address = await swarm.startScheduler(0, `{addr: "127.0.0.1:${manager.grpcPort}", schedulerClusterID: 1}`);
  const port = Number(address.split(':').at(-1));
  const member = { sourceType: SourceType.SCHEDULER_SOURCE, hostname: 'scheduler-0', ip: '127.0.0.1' };
  const join = async (target: Joined): Promise<void> => {
    const client = started.use(new TestClient(ManagerDefinition, target.grpcPort));
    await client.call('updateScheduler', {
      ...member,
      port,
      schedulerClusterId: 1,
      features: [],
      config: new Uint8Array(),
    });
    const { stream } = client.stream('keepAlive');
    started.defer(() => stream.cancel());
    const beat = (): boolean => stream.write({ ...member, clusterId: 1 });
    beat();
    const timer = setInterval(beat, 500);
    started.defer(() => clearInterval(timer));
    await eventually(async () => {
      const { state } = await client.call('getScheduler', { ...member, schedulerClusterId: 1 });
      if (state !== 'active') throw new Error(`the scheduler is ${state}`);
    });
  };
  try {
    for (const name of daemons) await swarm.startDaemon(name, { seed: name.startsWith('seed') });
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
  return { swarm, join, [Symbol.asyncDispose]: () => started.disposeAsync() };
}
