/** A manager's gRPC side under the test's control: it names no extensions, as one of the original. */
import { ManagerDefinition, Scheduler, type UpdateSchedulerRequest } from '../../gen/manager/v2/manager.ts';
import { ManagerWatchDefinition, type Change } from '../../gen/manager/v2/watch.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';

export class TestManager {
  readonly registrations: UpdateSchedulerRequest[] = [];
  beats = 0;
  clusterConfig: object = {};
  applications: object[] = [];
  seedPeers: object[] = [];
  readonly changes = new MessageQueue<Change>();
  server: RpcServer;

  constructor(port = 0) {
    const scheduler = (): Scheduler =>
      Scheduler.fromPartial({
        id: 1,
        state: this.beats > 0 ? 'active' : 'inactive',
        schedulerCluster: {
          config: Buffer.from(JSON.stringify(this.clusterConfig)),
          clientConfig: Buffer.from('{"load_limit": 7}'),
        },
        seedPeers: [{ seedPeerCluster: { config: Buffer.from('{"load_limit": 9}') } }, ...this.seedPeers],
      });
    this.server = RpcServer.create({ host: '127.0.0.1', port }, { limits: { drainDeadlineMs: 100 } })
      .addService(ManagerDefinition, {
        updateScheduler: (request) => {
          this.registrations.push(request);
          return Promise.resolve(scheduler());
        },
        getScheduler: () => Promise.resolve(scheduler()),
        listApplications: () => Promise.resolve({ applications: this.applications as never }),
        keepAlive: async (requests) => {
          for await (const _beat of requests) this.beats += 1;
          return {};
        },
      })
      .addService(ManagerWatchDefinition, { watchChanges: () => this.changes });
  }
}
