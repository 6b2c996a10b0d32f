/** Ports for programs that cannot take port 0 and tell which one they got. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * The kernel gives the ports above these to whoever asks for any: one of those could be gone again before the program
 * takes it, while other tests run beside this one.
 */
const first = 15_000;
const end = 32_000;
const attempts = 100;

/** A port that nobody listens on; who connects to it before the program serves is refused. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(first, end);
    if (await canListen(port, address)) return port;
  }
  throw new Error(`none of ${attempts} ports of ${address} is free`);
}

async function canListen(port: number, address: string): Promise<boolean> {
  const server = createServer().listen(port, address);
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
