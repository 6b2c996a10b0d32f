/** The tasks that this node announces after it or a scheduler has restarted. */
import { Download } from '../../../gen/common/v2/common.ts';
import { isKeptUrl } from '../../rpc/fields/kept-content.ts';
import type { TaskHolding } from '../../../gen/scheduler/v2/scheduler.ts';
import type { PieceLayout } from '../../core/piece-layout.ts';
import { keptHolding } from '../imports/kept-holding.ts';
import type { HostIdentity } from './host-info.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { NodeLocal } from '../task/node-local.ts';

/** Tasks with at least one verified piece. Running downloads are left out, because they announce themselves. */
export function holdingsOf(
  store: TaskStore,
  engine: TaskEngine,
  { identity, nodeLocal }: { readonly identity: HostIdentity; readonly nodeLocal: NodeLocal },
): TaskHolding[] {
  return store.list().flatMap((task): TaskHolding[] => {
    const { layout } = task;
    if (nodeLocal.isKnown(task.identity.url)) return [];
    // Imported content is announced as a whole, together with how long it is kept, or not at all.
    if (isKeptUrl(task.identity.url)) {
      const holding = keptHolding(task, identity.hostId);
      return holding ? [holding] : [];
    }
    if (!layout || task.pieces.count === 0 || engine.peerIdOf(task.id) !== undefined) return [];
    return [holdingOf(task, layout, identity.hostId)];
  });
}

/** Of an ordinary task. */
export function holdingOf(task: StoredTask, layout: PieceLayout, hostId: string): TaskHolding {
  return {
    taskId: task.id,
    peerId: `${hostId}-${task.id.slice(0, 32)}`,
    download: Download.fromPartial({ url: task.identity.url }),
    taskMetadata: {
      contentLength: layout.contentLengthBytes,
      pieceLength: layout.pieceLengthBytes,
      responseHeader: { ...task.responseHeader },
    },
    pieces: task.pieces.toBytes(),
    finished: task.state === 'finished',
    kept: undefined,
  };
}

/** Complete tasks that may be announced, most recently used first. */
export async function finishedTasks(store: TaskStore, nodeLocal: NodeLocal): Promise<readonly StoredTask[]> {
  await store.recovered();
  const isTold = ({ state, identity: { url } }: StoredTask): boolean =>
    state === 'finished' && !nodeLocal.isKnown(url) && !isKeptUrl(url);
  const finished = store.list().filter(isTold);
  return finished.toSorted((a, b) => b.record.row.lastUsedMs - a.record.row.lastUsedMs);
}
