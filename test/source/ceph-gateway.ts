/** A real Ceph with its S3 gateway: one monitor, one OSD in memory, everything on free ports of loopback. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { emptyPayloadHash, signV4 } from '../../src/dfdaemon/source/sigv4.ts';
import { waitFor } from '../support/wait-for.ts';
import { freePort } from '../support/free-port.ts';

const programs = ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'monmaptool', 'ceph'];
const absent = programs.find((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined);
export const cephMissing: string | undefined = absent === undefined ? undefined : `${absent} is not installed`;

const startDeadlineMs = 90_000;

export class CephGateway implements AsyncDisposable {
  readonly accessKeyId = 'AKIDTEST';
  readonly accessKeySecret = 'a+secret/key';
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;
  #port = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(directory: string): Promise<CephGateway> {
    const gateway = new CephGateway(directory);
    try {
      await gateway.#start();
      return gateway;
    } catch (error) {
      await gateway[Symbol.asyncDispose]();
      throw error;
    }
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Makes a bucket or an object. */
  async put(path: string, content?: Buffer): Promise<void> {
    const url = new URL(`${this.endpoint}/${path}`);
    const payloadHash = content ? 'UNSIGNED-PAYLOAD' : emptyPayloadHash;
    const header = signV4(
      { method: 'PUT', url, header: { 'x-amz-content-sha256': payloadHash }, date: new Date(), payloadHash },
      { accessKeyId: this.accessKeyId, secretAccessKey: this.accessKeySecret, region: 'us-east-1', service: 's3' },
    );
    const body = content ? new Uint8Array(content) : null;
    const response = await fetch(url, { method: 'PUT', headers: header, body, signal: AbortSignal.timeout(120_000) });
    if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGKILL'); // everything is in memory or below the test's directory
      await exited;
    }
  }

  async #start(): Promise<void> {
    const [monitorPort, gatewayPort] = [await freePort(), await freePort()];
    const monitor = `v1:127.0.0.1:${monitorPort}`;
    const clusterId = randomUUID();
    for (const name of ['mon', 'osd', 'run', 'log']) await mkdir(join(this.#directory, name));
    await writeFile(join(this.#directory, 'ceph.conf'), configuration(this.#directory, clusterId, monitor));
    this.#run('monmaptool', '--create', '--addv', 'a', `[${monitor}]`, '--fsid', clusterId, 'monmap');
    this.#run('ceph-mon', '-i', 'a', '--mkfs', '--monmap', 'monmap');
    this.#spawn('ceph-mon', '-f', '-i', 'a');
    await waitFor('the monitor', () => this.#try('ceph', '--connect-timeout', '5', 'status'), startDeadlineMs);
    const osdId = randomUUID();
    this.#run('ceph', 'osd', 'new', osdId, '0');
    this.#run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId);
    this.#spawn('ceph-osd', '-f', '-i', '0');
    const user = ['--uid=t', '--display-name=t', '--access-key', this.accessKeyId, '--secret', this.accessKeySecret];
    await waitFor('the user', () => this.#try('radosgw-admin', 'user', 'create', ...user), startDeadlineMs);
    this.#spawn('radosgw', '-f', '-n', 'client.rgw', `--rgw-frontends=beast endpoint=127.0.0.1:${gatewayPort}`);
    this.#port = gatewayPort;
    const answers = async (): Promise<boolean> => (await fetch(this.endpoint)).status < 500;
    await waitFor('the gateway', answers, startDeadlineMs);
  }

  #try(program: string, ...args: readonly string[]): boolean {
    return spawnSync(program, args, { ...this.#options, timeout: 30_000 }).status === 0;
  }

  #run(program: string, ...args: readonly string[]): void {
    const { status, stderr } = spawnSync(program, args, { ...this.#options, timeout: 60_000 });
    if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr.toString()}`);
  }

  #spawn(program: string, ...args: readonly string[]): void {
    this.#children.push(spawn(program, args, { ...this.#options, stdio: 'ignore' }));
  }

  get #options(): { cwd: string; env: NodeJS.ProcessEnv } {
    return { cwd: this.#directory, env: { ...process.env, CEPH_CONF: join(this.#directory, 'ceph.conf') } };
  }
}

function configuration(directory: string, clusterId: string, monitor: string): string {
  const inDirectory = (name: string): string => join(directory, name);
  return `[global]
fsid = ${clusterId}
mon host = [${monitor}]
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
mon allow pool size one = true
mon max pg per osd = 1000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
osd data = ${inDirectory('osd')}
mon data = ${inDirectory('mon')}
run dir = ${inDirectory('run')}
log file = ${inDirectory('log/$name.log')}
pid file = ${inDirectory('run/$name.pid')}
admin socket = ${inDirectory('run/$name.asok')}
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
setuser match path = /
`;
}
