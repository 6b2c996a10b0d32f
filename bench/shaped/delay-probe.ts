/**
 * How long a message takes from host to host while the links are busy: it waits in the queues behind the pieces, and
 * for a processor. Peers' news and requests take as long.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { NamespaceHost } from '../../test/support/network-namespaces.ts';

const everyMs = 100;

const echo = (address: string): string => `
  const server = require('node:net').createServer({ noDelay: true }, (socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(0, '${address}', () => console.log(server.address().port));
  process.stdin.on('close', () => process.exit()).resume();`;

const ask = (address: string, port: string): string => `
  const socket = require('node:net').connect({ host: '${address}', port: ${port}, noDelay: true });
  let sum = 0, count = 0, sentMs = 0;
  const send = () => { sentMs = performance.now(); socket.write('?'); };
  socket.on('connect', send).on('data', () => { sum += performance.now() - sentMs; count += 1; setTimeout(send, ${everyMs}); });
  process.stdin.on('end', () => { console.log(sum / count / 2); process.exit(); }).resume();`;

/** Measures from now on. Call what it returns to get the mean of one way, in milliseconds. */
export async function probeDelay(from: NamespaceHost, to: NamespaceHost): Promise<() => Promise<number>> {
  const listening = run(to, echo(to.address));
  const port = await line(listening);
  const asking = run(from, ask(to.address, port));
  return async () => {
    const told = line(asking);
    asking.stdin?.end();
    const delayMs = Number(await told);
    listening.stdin?.end();
    return delayMs;
  };
}

function run(host: NamespaceHost, code: string): ChildProcess {
  const [command = '', ...words] = host.enter;
  return spawn(command, [...words, process.execPath, '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function line(child: ChildProcess): Promise<string> {
  if (!child.stdout) return '';
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return said.toString().trim();
}
