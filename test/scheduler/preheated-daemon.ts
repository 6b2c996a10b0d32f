/** The gRPC side of a daemon, for tests of what a scheduler asks of it. */
import { DragonflyError } from '../../src/core/errors.ts';
import { aborted } from '../../src/core/process/lifecycle.ts';
import { taskId as taskIdOf } from '../../src/core/ids.ts';
import {
  DfdaemonUploadDefinition,
  StatLocalTaskResponse,
  type DownloadTaskRequest,
} from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import type { SchedulerFixture } from './fixture.ts';

/** Remembers what it was asked to download, and then holds it until it is told to delete it. */
export async function startDaemon(fixture: SchedulerFixture, { seed = false, fails = false, holds = false } = {}) {
  const asked: DownloadTaskRequest[] = [];
  const held = new Set<string>();
  const server = RpcServer.create({ host: '127.0.0.1', port: 0 }).addService(DfdaemonUploadDefinition, {
    downloadTask: async function* (request, { signal }) {
      asked.push(request);
      await (holds ? aborted(signal) : Promise.resolve());
      if (fails) throw new DragonflyError('NO_SPACE', 'the disk is full');
      held.add(taskIdOf({ url: request.download?.url ?? '', tag: request.download?.tag }));
      yield* [];
    },
    deleteTask: ({ taskId }) => {
      held.delete(taskId);
      return Promise.resolve({});
    },
    statLocalTask: ({ taskId }) => {
      if (!held.has(taskId)) return Promise.reject(new DragonflyError('NOT_FOUND', 'no such task'));
      return Promise.resolve(StatLocalTaskResponse.fromPartial({ taskId, finishedAt: new Date() }));
    },
    listTaskEntries: (request) =>
      Promise.resolve({
        contentLength: 0,
        responseHeader: {},
        bundles: false,
        entries: ['a', 'b'].map((name) => ({ url: `${request.url}${name}`, contentLength: 1, isDir: false })),
      }),
  });
  await server.start();
  fixture.owned.add('daemon', server);
  const host = await fixture.host({ type: seed ? 1 : 0, port: server.port });
  return { host, asked, held };
}
