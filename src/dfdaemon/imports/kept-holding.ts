/** Imported content that this node holds, as its store records it and as schedulers are told of it. */
import { toKeptContent } from '../../rpc/fields/kept-content.ts';
import { Download } from '../../../gen/common/v2/common.ts';
import type { TaskHolding } from '../../../gen/scheduler/v2/scheduler.ts';
import type { KeptFacts } from '../../swarm/replicas/kept-task.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { KeptRecord } from '../storage/task-record.ts';

/** The announcement of imported content; undefined when it is not complete here. */
export function keptHolding(task: StoredTask, hostId: string): TaskHolding | undefined {
  const { layout, identity, record } = task;
  const { kept } = record;
  if (!kept || !layout || task.state !== 'finished') return undefined;
  const { tag, application, digest } = identity;
  const { contentLengthBytes, pieceLengthBytes } = layout;
  const { upload: _, ...told } = kept;
  const facts = { ...told, taskId: task.id, contentLengthBytes, pieceLengthBytes, tag, application, digest };
  return {
    taskId: task.id,
    peerId: `${hostId}-${task.id.slice(0, 32)}`,
    download: Download.fromPartial({ url: identity.url }),
    taskMetadata: {
      contentLength: contentLengthBytes,
      pieceLength: pieceLengthBytes,
      responseHeader: {},
      confirmed: false,
    },
    pieces: new Uint8Array(),
    finished: true,
    kept: toKeptContent(facts, task.persistent),
  };
}

/** The facts that are in no other column of the row. */
export function recordOf({ replicas, createdMs, ttlMs, owner, object }: KeptFacts): KeptRecord {
  return { replicas, createdMs, ttlMs, owner, ...(object && { object }) };
}
