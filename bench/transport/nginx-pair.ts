/** The pair to compare with: nginx (sendfile, one worker) → `curl -o`, plain or TLS 1.3. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { childrenCpuSeconds, cpuSecondsOf, freePort } from './processes.ts';

export interface Transfer {
  readonly seconds: number;
  /** Of the sender and of the receiver. */
  readonly cpuSeconds: readonly [number, number];
}

export class NginxPair {
  readonly #url: string;
  readonly #target: string;
  readonly #pid: number;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, target: string, pid: number, stop: () => Promise<void>) {
    this.#url = url;
    this.#target = target;
    this.#pid = pid;
    this.#stop = stop;
  }

  /** Serves the files of `root`; `directory` holds its configuration, and cert.pem and key.pem for TLS. */
  static async start(directory: string, root: string, tls: boolean): Promise<NginxPair> {
    const port = await freePort();
    const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    const secured = tls
      ? `ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem; ssl_protocols TLSv1.3;`
      : '';
    const config = join(directory, 'nginx-pair.conf');
    writeFileSync(
      config,
      `daemon off; worker_processes 1; user root; pid ${directory}/nginx-pair.pid; error_log stderr crit;
       events { worker_connections 1024; }
       http { sendfile on; tcp_nopush on; access_log off;
         server { listen 127.0.0.1:${port}${tls ? ' ssl' : ''}; root ${root}; ${secured} } }`,
    );
    const server = spawn('/usr/sbin/nginx', ['-c', config, '-p', directory], { stdio: 'inherit' });
    for (let tries = 0; spawnSync('curl', ['-skI', `${url}/`]).status !== 0; tries += 1)
      if (tries > 100) throw new Error('nginx does not answer');
    return new NginxPair(url, join(directory, 'curl.out'), server.pid ?? 0, async () => {
      const ended = once(server, 'exit');
      server.kill('SIGQUIT');
      await ended;
    });
  }

  /** One file to a new one, which is removed again. */
  async transfer(name: string): Promise<Transfer> {
    const before = [cpuSecondsOf(this.#pid), childrenCpuSeconds()] as const;
    const startedMs = performance.now();
    const curl = spawn('curl', ['-sk', '-o', this.#target, `${this.#url}/${name}`]);
    const [status] = (await once(curl, 'exit')) as [number];
    const seconds = (performance.now() - startedMs) / 1000;
    if (status !== 0) throw new Error(`curl ended with ${status}`);
    const cpuSeconds = [cpuSecondsOf(this.#pid) - before[0], childrenCpuSeconds() - before[1]] as const;
    rmSync(this.#target);
    return { seconds, cpuSeconds };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}

/** cert.pem and key.pem for 127.0.0.1, which are their own authority. */
export function makeCertificate(directory: string): void {
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1';
  execFileSync(
    'openssl',
    [...request.split(' '), '-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')],
    { stdio: 'ignore' },
  );
}
