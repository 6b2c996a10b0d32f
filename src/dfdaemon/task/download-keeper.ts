/** The session of one download with the scheduler: what it registers as, and what it hears about the content. */
import type { RangeSpec } from '../../core/byte-range.ts';
import { minPieceLengthBytes } from '../../core/piece-layout.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { DownloadContext } from './download-context.ts';
import { layoutAtOrigin } from './origin/layout-at-origin.ts';
import type { DownloadRequest } from './open-task.ts';
import type { ExchangeEvents } from './exchange/piece-exchange.ts';
import { toRegistration, unknownLength } from './session/registration.ts';
import { SessionKeeper, type SessionKeeperOptions } from './session/session-keeper.ts';

type Registration = ReturnType<typeof toRegistration>;
type Facts = Parameters<ExchangeEvents['layout']>[0];

export interface DownloadKeeperOptions {
  readonly context: DownloadContext;
  readonly request: DownloadRequest;
  readonly stored: StoredTask;
  readonly peerId: string;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  /** This node is fetching from the origin. */
  readonly atOrigin: () => boolean;
  /** The part to register for, when the download is for a part only. */
  readonly reader: () => RangeSpec | undefined;
  /** Resolves when the layout is taken over, or is not. */
  readonly learnLayout: (facts: Facts) => Promise<void>;
  readonly events: Omit<SessionKeeperOptions['events'], 'metadata' | 'emptyTask'>;
}

export function downloadKeeper(options: DownloadKeeperOptions): SessionKeeper {
  const { context, request, stored, peerId, signal, atOrigin, reader, learnLayout, events } = options;
  const { hostId, newPeerId, openPeerStream, onTaken, logger, sources } = context;
  const registration = (): Registration => toRegistration(request, stored, { needBackToSource: atOrigin() });
  /** A scheduler of the original has to be told the length, or that it is not known. */
  const forOriginal = async (): Promise<Registration> => {
    if (!stored.layout && request.disableBackToSource !== true) {
      const facts = await layoutAtOrigin(request, { sources, logger, signal });
      if (facts) await learnLayout(facts);
    }
    const known = registration();
    return { ...known, actualContentLength: known?.actualContentLength ?? unknownLength };
  };
  return new SessionKeeper({
    ids: { hostId, taskId: stored.id, peerId },
    newPeerId,
    onTaken,
    logger,
    signal,
    run: (session, life) =>
      session.run({
        open: life.through(openPeerStream),
        registration: registration(),
        reader: reader(),
        pieceDigests: context.pieceHasher !== undefined,
        forOriginal,
        held: stored.pieces,
        scheduler: request.scheduler,
      }),
    events: {
      ...events,
      metadata: ({ contentLengthBytes, ...facts }) => {
        if (contentLengthBytes !== undefined) void learnLayout({ contentLengthBytes, ...facts });
      },
      emptyTask: () =>
        void learnLayout({ contentLengthBytes: 0, pieceLengthBytes: minPieceLengthBytes, responseHeader: {} }),
    },
  });
}
