/** What a download works with where it may not ask the origin, or other machines. */
import { DragonflyError } from '../../core/errors.ts';
import type { DownloadContext } from './download-context.ts';

type Origin = DownloadContext['sources'];

const unasked = new DragonflyError('CANCELLED', 'the origin takes no request but its client’s own for this content');

/** What the client's own request does not bring, nothing may be asked for. */
export const withoutOrigin: Pick<DownloadContext, 'sources'> = {
  sources: { open: () => Promise.reject(unasked), stat: () => Promise.reject(unasked) },
};

/** Until it is known what is asked for, nothing is. */
export function originOnceAllowed(sources: Origin, allowed: () => Promise<boolean>): Pick<DownloadContext, 'sources'> {
  const wait = async (): Promise<void> => {
    if (!(await allowed())) throw unasked;
  };
  return {
    sources: {
      open: (request) => wait().then(() => sources.open(request)),
      stat: (request) => wait().then(() => sources.stat(request)),
    },
  };
}

/** For content that no other machine may hear of. */
export const withoutSwarm: Pick<DownloadContext, 'schedulerKinds' | 'openPeerStream'> = {
  schedulerKinds: () => 'none',
  openPeerStream: () =>
    Promise.reject(new DragonflyError('UNAVAILABLE', 'the URL means this machine: no scheduler is asked')),
};
