/** Relays manager.v2.ManagerReleases on this node's socket, so that programs need neither the address of a manager nor credentials for it. */
import { DragonflyError } from '../../core/errors.ts';
import type { ManagerClient } from '../../rpc/manager-client.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import { ManagerReleasesDefinition } from '../../../gen/manager/v2/release.ts';

/** Long, because the manager asks the schedulers about every task of a version. */
const publishTimeoutMs = 60_000;

export interface ReleaseRelayOptions {
  /** Undefined where no manager is configured. */
  readonly manager: ManagerClient | undefined;
  readonly hostId: string;
}

export function releaseRelay({ manager, hostId }: ReleaseRelayOptions): Handlers<typeof ManagerReleasesDefinition> {
  const at = (): ManagerClient => {
    if (manager) return manager;
    throw new DragonflyError('FAILED_PRECONDITION', 'this node has no manager, which keeps the names of versions', {
      hint: 'Set scheduler.manager of the dfdaemon.',
    });
  };
  return {
    publishRelease: ({ release }, { caller, signal }) => {
      const named = release && { ...release, publisher: `${userOf(caller)}@${hostId}` };
      return at().with(
        ManagerReleasesDefinition,
        (client) => client.publishRelease({ release: named, hostId }, { signal, timeoutMs: publishTimeoutMs }),
        signal,
      );
    },
    getRelease: (request, { signal }) =>
      at().with(ManagerReleasesDefinition, (client) => client.getRelease(request, { signal }), signal),
    reportRelease: (request, { signal }) =>
      at().with(
        ManagerReleasesDefinition,
        (client) => client.reportRelease({ ...request, hostId }, { signal }),
        signal,
      ),
    announcePack: ({ pack }, { signal }) =>
      at().with(ManagerReleasesDefinition, (client) => client.announcePack({ pack, hostId }, { signal }), signal),
    watchPacks: async function* (request, { signal, draining }) {
      const ended = AbortSignal.any([signal, draining]);
      yield* await at().with(
        ManagerReleasesDefinition,
        (client) => Promise.resolve(client.watchPacks(request, { signal: ended })),
        ended,
      );
    },
    watchReleases: async function* (request, { signal, draining }) {
      const ended = AbortSignal.any([signal, draining]);
      yield* await at().with(
        ManagerReleasesDefinition,
        (client) => Promise.resolve(client.watchReleases(request, { signal: ended })),
        ended,
      );
    },
  };
}

function userOf(caller: Caller): string {
  return caller.kind === 'local' ? String(caller.uid ?? '') : '';
}
