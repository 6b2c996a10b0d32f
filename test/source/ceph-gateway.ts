/** A real Ceph with its S3 gateway: one monitor, one OSD in memory, everything on free ports of loopback. */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { emptyPayloadHash, signV4 } from '../../src/dfdaemon/source/sigv4.ts';
import { waitFor } from '../support/wait-for.ts';
import { freePort } from '../support/free-port.ts';

const programs = ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'monmaptool', 'ceph'];
const absent = programs.find((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined);
export const cephMissing: string | undefined = absent === undefined ? undefined : `${absent} is not installed`;

const execute = promisify(execFile);
/** Of one step of the start, which takes seconds; a cluster that hangs is given up and the next one is tried. */
const stepDeadlineMs = 60_000;
const startAttempts = 4;

export class CephGateway implements AsyncDisposable {
  readonly accessKeyId = 'AKIDTEST';
  readonly accessKeySecret = 'a+secret/key';
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;
  #port = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Ceph's daemons now and then lose a race among themselves while a cluster is born (a monitor that leads but does not
   * know its commands yet, an OSD that never boots): such a cluster is thrown away and another one is made.
   */
  static async start(directory: string): Promise<CephGateway> {
    const failures: unknown[] = [];
    for (let attempt = 1; attempt <= startAttempts; attempt++) {
      const gateway = new CephGateway(join(directory, `cluster-${attempt}`));
      try {
        await gateway.#start();
        return gateway;
      } catch (error) {
        failures.push(error);
        await gateway[Symbol.asyncDispose]();
      }
    }
    throw new AggregateError(failures, `Ceph did not start in ${startAttempts} attempts`);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Makes a bucket or an object. */
  async put(path: string, content?: Buffer): Promise<void> {
    const url = new URL(`${this.endpoint}/${path}`);
    const payloadHash = content ? 'UNSIGNED-PAYLOAD' : emptyPayloadHash;
    const header = await signV4(
      { method: 'PUT', url, header: { 'x-amz-content-sha256': payloadHash }, date: new Date() },
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
    for (const name of ['mon', 'osd', 'run', 'log']) await mkdir(join(this.#directory, name), { recursive: true });
    await writeFile(join(this.#directory, 'ceph.conf'), configuration(this.#directory, clusterId, monitor));
    await this.#run('monmaptool', '--create', '--addv', 'a', `[${monitor}]`, '--fsid', clusterId, 'monmap');
    await this.#run('ceph-mon', '-i', 'a', '--mkfs', '--monmap', 'monmap');
    this.#spawn('ceph-mon', '-f', '-i', 'a');
    const osdId = randomUUID();
    await this.#repeat('ceph', '--connect-timeout', '5', 'osd', 'new', osdId, '0');
    await this.#run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId);
    this.#spawn('ceph-osd', '-f', '-i', '0');
    await waitFor('the OSD to be up', () => this.#osdIsUp(), stepDeadlineMs);
    const user = ['--uid=t', '--display-name=t', '--access-key', this.accessKeyId, '--secret', this.accessKeySecret];
    await this.#run('radosgw-admin', 'user', 'create', ...user);
    this.#spawn('radosgw', '-f', '-n', 'client.rgw', `--rgw-frontends=beast endpoint=127.0.0.1:${gatewayPort}`);
    this.#port = gatewayPort;
    const answers = async (): Promise<boolean> => {
      this.#assertAlive();
      return (await fetch(this.endpoint, { signal: AbortSignal.timeout(stepDeadlineMs) })).status < 500;
    };
    await waitFor('the gateway', answers, stepDeadlineMs);
  }

  async #osdIsUp(): Promise<boolean> {
    this.#assertAlive();
    const { stdout } = await this.#run('ceph', '--connect-timeout', '5', 'osd', 'stat', '--format', 'json');
    return (JSON.parse(stdout) as { num_up_osds: number }).num_up_osds === 1;
  }

  #assertAlive(): void {
    const dead = this.#children.find((child) => child.exitCode !== null || child.signalCode !== null);
    if (dead) throw new Error(`${dead.spawnargs.join(' ')} ended with ${dead.exitCode ?? dead.signalCode}`);
  }

  #run(program: string, ...args: readonly string[]): Promise<{ stdout: string }> {
    return execute(program, args, { ...this.#options, timeout: stepDeadlineMs, killSignal: 'SIGKILL' });
  }

  /** Runs a command until it succeeds. */
  #repeat(program: string, ...args: readonly string[]): Promise<unknown> {
    return waitFor(`${program} ${args.join(' ')}`, () => this.#run(program, ...args), stepDeadlineMs);
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
