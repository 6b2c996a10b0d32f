/**
 * How a service tells its parent process that it is serving, and at which addresses.
 *
 * Started with `--ready-fd N`, a service writes one JSON line to that descriptor once every listener accepts:
 * `{"event":"ready","addresses":{"grpc":"127.0.0.1:41001"}}`. Ports configured as 0 appear as the real ones. Standard
 * output stays free for people.
 */
import { writeSync } from 'node:fs';

/** Listener name → `host:port`, or `unix:/absolute/path` for a socket in the file system; `authority` → a fingerprint. */
export type ReadyAddresses = Readonly<Record<string, string>>;

/** Does nothing without a descriptor; a closed pipe does not stop the service. */
export function announceReady(fd: number | undefined, addresses: ReadyAddresses): void {
  if (fd === undefined) return;
  try {
    writeSync(fd, `${JSON.stringify({ event: 'ready', addresses })}\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}

/** The addresses in a line written by `announceReady`; undefined for any other line. */
export function parseReadyLine(line: string): ReadyAddresses | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const { event, addresses } = value as { event?: unknown; addresses?: unknown };
  if (event !== 'ready' || addresses === null || typeof addresses !== 'object') return undefined;
  if (!Object.values(addresses).every((address) => typeof address === 'string')) return undefined;
  return addresses as ReadyAddresses;
}
