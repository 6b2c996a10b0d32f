/**
 * A real API server with its etcd and its controllers, of the programs in a directory (README.md beside this). There are nodes, but no
 * kubelets: pods are bound, become ready and go because `play` says so, and all the rest is as it is in any cluster.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesApi } from '../../../src/cli/kubernetes/client.ts';
import { promisify } from 'node:util';
import { freePort } from '../../support/free-port.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';

type Fields = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly body: Fields;
}

interface Ports {
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly api: number;
}

interface Pod {
  readonly metadata: { name: string; namespace: string; deletionTimestamp?: string };
  readonly spec: { nodeName?: string; containers: { name: string; image: string }[]; affinity?: object };
  readonly status: { phase: string; conditions?: { type: string; status: string }[] };
}

const run = promisify(execFile);
const admin = 'admin-of-the-test';
const patchTypes = { merge: 'application/merge-patch+json', apply: 'application/apply-patch+yaml' } as const;

export class KubernetesCluster implements AsyncDisposable {
  /** Of images whose tag is this, no pod becomes ready. */
  static readonly badTag = 'bad';
  readonly #programs: string;
  readonly #directory: TemporaryDirectory;
  readonly #ports: Ports;
  readonly #running = new Map<string, ChildProcess>();
  readonly #ending = new AbortController();
  #playing: Promise<void> | undefined;
  #nextAddress = 1;

  private constructor(programs: string, directory: TemporaryDirectory, ports: Ports) {
    this.#programs = programs;
    this.#directory = directory;
    this.#ports = ports;
  }

  static async start(programs: string): Promise<KubernetesCluster> {
    const directory = await temporaryDirectory('df-kube-');
    const [etcd, etcdPeer, api] = await Promise.all([freePort(), freePort(), freePort()]);
    const cluster = new KubernetesCluster(programs, directory, { etcd, etcdPeer, api });
    try {
      execFileSync('openssl', ['genrsa', '-out', directory.join('sa.key'), '2048'], { stdio: 'ignore' });
      writeFileSync(directory.join('tokens'), `${admin},admin,admin,system:masters\n`, { mode: 0o600 });
      writeFileSync(directory.join('admin'), admin, { mode: 0o600 });
      cluster.#spawn('etcd', {
        'data-dir': directory.join('etcd'),
        'listen-peer-urls': `http://127.0.0.1:${etcdPeer}`,
        'initial-cluster': `default=http://127.0.0.1:${etcdPeer}`,
        'initial-advertise-peer-urls': `http://127.0.0.1:${etcdPeer}`,
        'listen-client-urls': `http://127.0.0.1:${etcd}`,
        'advertise-client-urls': `http://127.0.0.1:${etcd}`,
      });
      await cluster.startApiServer();
      writeFileSync(directory.join('kubeconfig'), JSON.stringify(cluster.#kubeconfig()), { mode: 0o600 });
      cluster.#spawn('kube-controller-manager', {
        kubeconfig: directory.join('kubeconfig'),
        'leader-elect': 'false',
        // Nodes send no signs of life.
        controllers: '*,-node-lifecycle-controller,-taint-eviction-controller',
        'secure-port': '0',
        'service-account-private-key-file': directory.join('sa.key'),
      });
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get kubeconfigPath(): string {
    return this.#directory.join('kubeconfig');
  }

  get api(): KubernetesApi {
    return this.#apiWith(this.#directory.join('admin'));
  }

  async startApiServer(): Promise<void> {
    const { join } = this.#directory;
    const key = join('sa.key');
    this.#spawn('kube-apiserver', {
      'etcd-servers': `http://127.0.0.1:${this.#ports.etcd}`,
      'cert-dir': join('certificates'),
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': String(this.#ports.api),
      'service-account-key-file': key,
      'service-account-signing-key-file': key,
      'service-account-issuer': 'https://kubernetes.default.svc',
      'token-auth-file': join('tokens'),
      'authorization-mode': 'RBAC',
      'service-cluster-ip-range': '10.96.0.0/16',
      'endpoint-reconciler-type': 'none',
      'enable-priority-and-fairness': 'false',
    });
    await waitFor(
      'the API server',
      async () => {
        const ended = this.#running.get('kube-apiserver')?.exitCode;
        if (typeof ended === 'number') throw new Error(`it ended: ${this.log('kube-apiserver')}`);
        const answer = await this.ask('GET', '/readyz').catch(() => undefined);
        return answer?.status === 200;
      },
      180_000,
    );
  }

  async stopApiServer(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#stop('kube-apiserver', signal);
  }

  log(program: string): string {
    return readFileSync(this.#directory.join(`${program}.log`), 'utf8').slice(-4_000);
  }

  /** Versions of before are forgotten. */
  async compact(): Promise<void> {
    const post = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
      const url = `http://127.0.0.1:${this.#ports.etcd}/v3/kv/${path}`;
      const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
      return (await response.json()) as { header: { revision: string } };
    };
    const { header } = await post('range', { key: Buffer.from('x').toString('base64') });
    await post('compaction', { revision: header.revision, physical: true });
  }

  /** With the rights of that account alone. */
  async asServiceAccount(namespace: string, name: string): Promise<KubernetesApi> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const { body } = await this.must('POST', path, { spec: { expirationSeconds: 3_600 } });
    const tokenFile = this.#directory.join(`token-${namespace}-${name}`);
    writeFileSync(tokenFile, (body['status'] as { token: string }).token, { mode: 0o600 });
    return this.#apiWith(tokenFile);
  }

  /** As the administrator. @param body of a POST, or a patch with its kind. */
  async ask(method: string, path: string, body?: unknown, type: string = 'application/json'): Promise<Answer> {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const sent = request(`https://127.0.0.1:${this.#ports.api}${path}`, {
      method,
      ca: readFileSync(this.#directory.join('certificates/apiserver.crt')),
      headers: {
        authorization: `Bearer ${admin}`,
        ...(content && { 'content-type': type, 'content-length': content.length }),
      },
      timeout: 30_000,
    }).end(content);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of response.setEncoding('utf8')) text += part as string;
    return { status: response.statusCode ?? 0, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Fields };
  }

  async must(...request: Parameters<KubernetesCluster['ask']>): Promise<Answer> {
    const answer = await this.ask(...request);
    if (answer.status < 300) return answer;
    throw new Error(`${request[0]} ${request[1]}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  patch(path: string, body: object): Promise<Answer> {
    return this.must('PATCH', path, body, patchTypes.merge);
  }

  /** As kubectl does with what is in a file, whatever it is. */
  async kubectl(args: readonly string[], input = ''): Promise<string> {
    const running = run('kubectl', ['--kubeconfig', this.kubeconfigPath, ...args], { maxBuffer: 2 ** 26 });
    running.child.stdin?.end(input);
    return (await running).stdout;
  }

  async addNode(name: string, labels: Readonly<Record<string, string>> = {}, spec: object = {}): Promise<void> {
    const metadata = { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...labels } };
    await this.must('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata, spec });
    // It is tainted as not ready until it has told that it is.
    const conditions = [
      { type: 'Ready', status: 'True', reason: 'Played', lastHeartbeatTime: new Date().toISOString() },
    ];
    await this.patch(`/api/v1/nodes/${name}/status`, {
      status: { conditions, capacity: { pods: '100', cpu: '8', memory: '32Gi' } },
    });
  }

  /** From now on pods are bound to nodes, run where their image is good, and go when they are to. */
  play(): void {
    this.#playing ??= this.#play(this.#ending.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#playing;
    for (const program of ['kube-controller-manager', 'kube-apiserver', 'etcd']) await this.#stop(program, 'SIGKILL');
    await this.#directory[Symbol.asyncDispose]();
  }

  async #play(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const pods = ((await this.must('GET', '/api/v1/pods')).body['items'] ?? []) as Pod[];
        for (const pod of pods) await this.#playPod(pod);
      } catch {
        // The API server is away for the moment.
      }
      await delay(200, undefined, { signal }).catch(() => undefined);
    }
  }

  async #playPod({ metadata, spec, status }: Pod): Promise<void> {
    const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`;
    if (metadata.deletionTimestamp !== undefined)
      return void (await this.ask('DELETE', path, { gracePeriodSeconds: 0 }));
    if (spec.nodeName === undefined) {
      const [, named] = /"metadata\.name".*?"values":\["([^"]+)"/.exec(JSON.stringify(spec.affinity ?? {})) ?? [];
      const nodes = ((await this.must('GET', '/api/v1/nodes')).body['items'] ?? []) as { metadata: { name: string } }[];
      const name = named ?? nodes[0]?.metadata.name;
      if (name === undefined) return;
      const target = { apiVersion: 'v1', kind: 'Node', name };
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: metadata.name }, target };
      return void (await this.ask('POST', `${path}/binding`, binding));
    }
    const isBad = spec.containers.some(({ image }) => image.endsWith(`:${KubernetesCluster.badTag}`));
    if (status.phase === 'Running' || isBad) return;
    const podIP = `127.77.${this.#nextAddress >> 8}.${this.#nextAddress++ & 255}`;
    const conditions = ['Ready', 'ContainersReady', 'PodScheduled', 'Initialized'].map((type) => ({
      type,
      status: 'True',
    }));
    await this.patch(`${path}/status`, { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } });
  }

  #spawn(program: string, flags: Readonly<Record<string, string>>): void {
    const log = openSync(this.#directory.join(`${program}.log`), 'a');
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const child = spawn('nice', ['-n', '5', `${this.#programs}/${program}`, ...args], {
      stdio: ['ignore', log, log],
    });
    this.#running.set(program, child);
  }

  async #stop(program: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(program);
    this.#running.delete(program);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  #apiWith(tokenFile: string): KubernetesApi {
    const url = new URL(`https://127.0.0.1:${this.#ports.api}`);
    return { url, tokenFile, caFile: this.#directory.join('certificates/apiserver.crt') };
  }

  #kubeconfig(): object {
    const ca = readFileSync(this.#directory.join('certificates/apiserver.crt')).toString('base64');
    const server = `https://127.0.0.1:${this.#ports.api}`;
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': ca } }],
      users: [{ name: 'admin', user: { token: admin } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
      'current-context': 'test',
    };
  }
}
