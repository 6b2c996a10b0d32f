/** The receiving end of NOTIFY_SOCKET, held by socat. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { waitFor } from './wait-for.ts';

export interface ServiceManager extends AsyncDisposable {
  /** Resolves with all that was received, once it matches. */
  heard(pattern: RegExp): Promise<string>;
}

export async function startServiceManager(path: string): Promise<ServiceManager> {
  const child = spawn('socat', ['-u', `UNIX-RECV:${path}`, 'STDOUT'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await waitFor('the socket', () => existsSync(path));
  return {
    heard: async (pattern) => {
      await waitFor(`${pattern} to be heard`, () => pattern.test(text));
      return text;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await once(child, 'close');
    },
  };
}
