/** Program: what a stranger on this machine is told by a node and a scheduler elsewhere; one line of JSON, code by call. */
import { taskId } from '../../src/core/ids.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { DfdaemonUploadDefinition, SyncPiecesRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';

const [nodeAddress = '', schedulerAddress = '', url = ''] = process.argv.slice(2);
await using channels = new Channels();
const node = createClient(DfdaemonUploadDefinition, channels, nodeAddress);
const scheduler = createClient(SchedulerDefinition, channels, schedulerAddress);
const id = taskId({ url });

async function first(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers) return;
}

const calls: Record<string, () => Promise<unknown>> = {
  DownloadTask: () => first(node.downloadTask({ download: Download.fromPartial({ url, needPieceContent: true }) })),
  StatLocalTask: () => node.statLocalTask({ taskId: id }),
  DeleteTask: () => node.deleteTask({ taskId: id }),
  SyncPieces: () => first(node.syncPieces(SyncPiecesRequest.fromPartial({ taskId: id, hostId: 'stranger' }))),
  ListHosts: () => scheduler.listHosts({}),
};
const codes: Record<string, string> = {};
for (const [name, call] of Object.entries(calls)) {
  codes[name] = await call().then(
    () => 'OK',
    (error: { code: string }) => error.code,
  );
}
process.stdout.write(JSON.stringify(codes));
