/** Replacements in a download's context where it may not ask the origin, or other machines. */
import { DragonflyError } from '../../core/errors.ts';
import type { DownloadContext } from './download-context.ts';
import type { OpenedOrigin } from './open-task.ts';

type Origin = DownloadContext['sources'];

const unasked = new DragonflyError('CANCELLED', 'the origin takes no request but its client’s own for this content');

/** Only the client's own request may bring content; nothing else is asked of the origin. */
export const withoutOrigin: Pick<DownloadContext, 'sources'> = {
  sources: { open: () => Promise.reject(unasked), stat: () => Promise.reject(unasked) },
};

/** Nothing but the client's own request is sent until its answer, or another question, allows it. */
export function originBeside(sources: Origin, opened: OpenedOrigin): Partial<Pick<DownloadContext, 'sources'>> {
  if (!opened.othersMayAsk) return {};
  const wait = async (): Promise<void> => {
    if ((await opened.othersMayAsk?.()) === false) throw unasked;
  };
  return {
    sources: {
      open: (request) => wait().then(() => sources.open(request)),
      stat: (request) => wait().then(() => sources.stat(request)),
    },
  };
}

/** For content that no other machine may learn of. */
export const withoutSwarm: Pick<DownloadContext, 'schedulerKinds' | 'openPeerStream'> = {
  schedulerKinds: () => 'none',
  openPeerStream: () =>
    Promise.reject(new DragonflyError('UNAVAILABLE', 'the URL means this machine: no scheduler is asked')),
};
