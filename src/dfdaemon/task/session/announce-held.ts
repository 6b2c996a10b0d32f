/** Announces to a scheduler of the original that this node holds a whole task. Ours hear of it by cluster/held-news.ts. */
import { DragonflyError } from '../../../core/errors.ts';
import { Download } from '../../../../gen/common/v2/common.ts';
import type { AnnouncePeerRequest } from '../../../../gen/scheduler/v2/scheduler.ts';
import type { PeerStream } from '../../../rpc/peer-stream.ts';
import { MessageQueue } from '../../../rpc/streams.ts';

type Request = NonNullable<AnnouncePeerRequest['request']>;

/** Resolves when the scheduler lists this node as a holder of the task. Rejects with any other answer. */
export async function announceHeld(
  ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string },
  registration: Parameters<typeof Download.fromPartial>[0],
  open: (requests: AsyncIterable<AnnouncePeerRequest>) => Promise<PeerStream>,
): Promise<void> {
  const outgoing = new MessageQueue<AnnouncePeerRequest>();
  const send = (...requests: readonly Request[]): void => {
    for (const request of requests) outgoing.push({ ...ids, request });
  };
  send({ $case: 'registerPeerRequest', value: { download: Download.fromPartial(registration) } });
  try {
    const { responses } = await open(outgoing);
    for await (const { response } of responses) {
      if (response?.$case === 'metadataOnlyResponse') {
        send({ $case: 'downloadPeerStartedRequest', value: {} }, { $case: 'downloadPeerFinishedRequest', value: {} });
      } else if (response?.$case === 'needBackToSourceResponse') {
        // A scheduler without `metadata_only` takes this node for one that fetches, so it is told that the fetch succeeded.
        send(
          { $case: 'downloadPeerBackToSourceStartedRequest', value: {} },
          { $case: 'downloadPeerBackToSourceFinishedRequest', value: {} },
        );
      } else throw new DragonflyError('UNSUPPORTED', `the scheduler answers ${response?.$case ?? 'nothing known'}`);
    }
  } finally {
    outgoing.end();
  }
}
