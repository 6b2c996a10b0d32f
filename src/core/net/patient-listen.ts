/** Opens a port that another program has just released. */
import { once } from 'node:events';
import { connect, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Linux keeps the last connections of a port for 60 s. */
const lingerMs = 65_000;
const lookMs = 250;

export interface ListenPlace {
  readonly host: string;
  readonly port: number;
  readonly backlog?: number;
}

/**
 * Resolves when the server listens. When a program took the port without `SO_REUSEADDR`, as daemons of the original do
 * for pieces, its last connections block the port for a minute after it has ended: waits for that, unless somebody
 * answers there. Rejects with a system error; EADDRINUSE when somebody does. @param onWait called once, when the wait
 * begins.
 */
export async function listenPatiently(server: Server, place: ListenPlace, onWait?: () => void): Promise<void> {
  const endMs = performance.now() + lingerMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      server.listen(place);
      await once(server, 'listening');
      return;
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!taken || performance.now() > endMs || (await answers(place))) throw error;
    }
    if (attempt === 0) onWait?.();
    await delay(lookMs);
  }
}

async function answers({ host, port }: ListenPlace): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
