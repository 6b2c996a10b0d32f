/** What a download works with where it may not ask the origin, or other machines. */
import { DragonflyError } from '../../core/errors.ts';
import type { DownloadContext } from './download-context.ts';

const unasked = new DragonflyError('CANCELLED', 'the origin takes no request but its client’s own for this content');

/** What the client's own request does not bring, nothing may be asked for. */
export const withoutOrigin: Pick<DownloadContext, 'sources'> = {
  sources: { open: () => Promise.reject(unasked), stat: () => Promise.reject(unasked) },
};

/** For content that no other machine may hear of. */
export const withoutSwarm: Pick<DownloadContext, 'schedulerKinds' | 'openPeerStream'> = {
  schedulerKinds: () => 'none',
  openPeerStream: () =>
    Promise.reject(new DragonflyError('UNAVAILABLE', 'the URL means this machine: no scheduler is asked')),
};
