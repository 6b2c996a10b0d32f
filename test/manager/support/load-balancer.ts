/** haproxy in front of replicas of a manager: plain TCP, as a load balancer on layer 4, with health checks. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { eventually } from './engines.ts';

export interface Backend {
  readonly restPort: number;
  readonly grpcPort: number;
}

export class LoadBalancer implements AsyncDisposable {
  readonly restPort: number;
  readonly grpcPort: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ports: Backend) {
    this.#child = child;
    this.restPort = ports.restPort;
    this.grpcPort = ports.grpcPort;
  }

  static async start(directory: string, backends: readonly Backend[]): Promise<LoadBalancer> {
    const ports = { restPort: await freePort(), grpcPort: await freePort() };
    const path = join(directory, 'haproxy.cfg');
    await writeFile(path, configuration(ports, backends));
    const child = spawn('haproxy', ['-db', '-f', path], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
    });
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4_000)));
    const balancer = new LoadBalancer(child, ports);
    try {
      await eventually(async () => {
        if (child.exitCode !== null) throw new Error(`haproxy ended: ${log}`);
        const answer = await fetch(`http://127.0.0.1:${ports.restPort}/readyz`);
        if (!answer.ok) throw new Error(`the replicas answer ${answer.status}: ${log}`);
      }, 30_000);
    } catch (error) {
      await balancer[Symbol.asyncDispose]();
      throw error;
    }
    return balancer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

/** Readiness is asked over REST for both ports, since it covers the database too. */
function configuration(ports: Backend, backends: readonly Backend[]): string {
  const servers = (port: keyof Backend): string[] =>
    backends.map(
      (backend, index) =>
        `  server replica-${index} 127.0.0.1:${backend[port]} check port ${backend.restPort} inter 300ms fall 2 rise 1 on-marked-down shutdown-sessions`,
    );
  const section = (name: string, port: keyof Backend): string[] => [
    `frontend ${name}`,
    `  bind 127.0.0.1:${ports[port]}`,
    `  default_backend ${name}`,
    `backend ${name}`,
    '  balance roundrobin',
    '  option httpchk GET /readyz',
    ...servers(port),
  ];
  return [
    'defaults',
    '  mode tcp',
    '  retries 3',
    '  option redispatch',
    '  timeout connect 2s',
    '  timeout client 1h',
    '  timeout server 1h',
    ...section('rest', 'restPort'),
    ...section('grpc', 'grpcPort'),
    '',
  ].join('\n');
}
