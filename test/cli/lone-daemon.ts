/** A real dfdaemon as a process of its own, without schedulers: every download goes to the origin or to its store. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';

export interface LoneDaemon extends AsyncDisposable {
  readonly socket: string;
  readonly process: ManagedProcess;
}

/** @param scheduler of its configuration, beside its defaults. */
export async function startDaemon(directory: string, scheduler: object = {}): Promise<LoneDaemon> {
  const anyPort = { tcpListen: { listen: '127.0.0.1', port: 0 } };
  const socket = join(directory, 'd.sock');
  const config = {
    workHome: directory,
    cacheDir: join(directory, 'cache'),
    dataDir: join(directory, 'data'),
    logDir: directory,
    console: true,
    metrics: '127.0.0.1:0',
    health: anyPort,
    host: { hostname: 'lone', advertiseIP: '127.0.0.1' },
    scheduler: { manager: { enable: false }, ...scheduler },
    download: { downloadGRPC: { unixListen: { socket } }, peerGRPC: anyPort },
    upload: anyPort,
    proxy: anyPort,
  };
  const path = join(directory, 'dfget.yaml');
  await writeFile(path, stringify(config));
  const process = await ManagedProcess.start({ name: 'dfdaemon', program: 'dfdaemon', args: ['--config', path] });
  return { socket, process, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}
