/** A real BIND that is the primary of one zone, which takes updates of one key. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

export const bindKeyName = 'dragonfly';

export class BindServer implements AsyncDisposable {
  readonly port: number;
  /** File that holds the key, as its name and secret. */
  readonly keyPath: string;
  readonly #child: ChildProcess;
  readonly #directory: TemporaryDirectory;
  readonly #resolver = new Resolver({ timeout: 2_000, tries: 1 });

  private constructor(child: ChildProcess, directory: TemporaryDirectory, port: number) {
    this.#child = child;
    this.#directory = directory;
    this.port = port;
    this.keyPath = directory.join('key');
    this.#resolver.setServers([`127.0.0.1:${port}`]);
  }

  static async start(zone: string): Promise<BindServer> {
    const directory = await temporaryDirectory('df-bind-');
    const port = await freePort();
    const secret = randomBytes(32).toString('base64');
    const path = directory.path;
    await writeFile(join(path, 'zone'), `$TTL 60\n@ IN SOA ns root 1 60 60 600 60\n@ IN NS ns\nns IN A 127.0.0.1\n`);
    await writeFile(join(path, 'key'), `${bindKeyName} ${secret}\n`, { mode: 0o600 });
    await writeFile(join(path, 'named.conf'), configuration({ path, port, zone, secret }));
    const child = spawn('named', ['-g', '-c', join(path, 'named.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
    });
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-8_000)));
    const server = new BindServer(child, directory, port);
    try {
      await waitFor('BIND', async () => {
        if (child.exitCode !== null) throw new Error(`named ended: ${log}`);
        return (await server.addresses(`ns.${zone}`)).length > 0;
      });
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw new Error(`BIND does not answer: ${log}`, { cause: error });
    }
    return server;
  }

  /** Sorted; none when the name has none. */
  async addresses(name: string): Promise<string[]> {
    try {
      return (await this.#resolver.resolve4(name)).sort();
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (['ENOTFOUND', 'ENODATA', 'ECONNREFUSED', 'ETIMEOUT'].includes(code)) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
    await this.#directory[Symbol.asyncDispose]();
  }
}

function configuration({
  path,
  port,
  zone,
  secret,
}: {
  path: string;
  port: number;
  zone: string;
  secret: string;
}): string {
  return `
options {
  directory "${path}"; pid-file none; session-keyfile none; lock-file none;
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-query { any; };
};
controls { };
key "${bindKeyName}" { algorithm hmac-sha256; secret "${secret}"; };
zone "${zone}" { type primary; file "zone"; journal "zone.jnl"; allow-update { key "${bindKeyName}"; }; };
`;
}
