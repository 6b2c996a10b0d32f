/** A tool's connection to the dfdaemon on its node. */
import type { CommandIo } from '../core/process/command.ts';
import { Channels } from '../rpc/channels.ts';
import { findDaemon, requireDaemon, type DaemonEndpoint } from './daemon-endpoint.ts';

export interface DaemonConnection extends AsyncDisposable {
  readonly channels: Channels;
  readonly endpoint: DaemonEndpoint;
}

/** Throws DAEMON_UNREACHABLE when there is no daemon or it does not answer. */
export async function connectDaemon(named: string | undefined, io: CommandIo): Promise<DaemonConnection> {
  const endpoint = findDaemon(named, io.env);
  const channels = new Channels();
  try {
    await requireDaemon(channels, endpoint, io.signal);
  } catch (error) {
    await channels[Symbol.asyncDispose]();
    throw error;
  }
  return { channels, endpoint, [Symbol.asyncDispose]: () => channels[Symbol.asyncDispose]() };
}
