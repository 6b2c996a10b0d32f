/**
 * Program: a whole cluster on one machine, under one policy, and everybody who may come to it from another one. Prints what each of them could do.
 * Arguments: the policy, own address, address of the other machine, the words that run a command there, as JSON.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseConfig } from '../../src/core/config/config.ts';
import { taskId } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { openSecrets } from '../../src/manager/access/access.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { createClient } from '../../src/rpc/client.ts';
import { ControlKey } from '../../src/rpc/control-key.ts';
import {
  DfdaemonDownloadDefinition,
  UploadPersistentCacheTaskRequest,
  UploadPersistentTaskRequest,
} from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../gen/dfdaemon/v2/local.ts';
import { ManagerReleasesDefinition, Release } from '../../gen/manager/v2/release.ts';
import type { MemberRole } from '../../src/rpc/server/caller.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { operator, rootPassword, startManager, testConfig } from '../manager/support/manager-fixture.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { ask, serveBody, startOrigin } from '../proxy/support/proxy-fixture.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import type { Action, Places } from './actions.ts';
import { certificateFor } from './certificates.ts';

const run = promisify(execFile);
const [policy = 'plain', here = '', there = '', words = '[]'] = process.argv.slice(2);
const enter = JSON.parse(words) as string[];
const isPlain = policy === 'plain';
const content = Buffer.alloc(2 ** 20, 'for those who may read it. ');
const right = { authorization: 'Bearer right' };
type Results = Record<Action, Record<string, string>>;

await using cleanup = new AsyncDisposableStack();
const swarm = cleanup.use(await LocalSwarm.create());
const database = databaseConfig({ sqlite: { path: swarm.directory.join('manager.db') } });
const managerInput = {
  server: { grpc: { listenIP: here, port: { start: 0 } }, rest: { addr: `${here}:0` } },
  security: isPlain ? {} : { autoIssueCert: true, tlsPolicy: policy },
};
const manager = cleanup.use(
  await startManager(database, {
    ...managerInput,
    security: { registerFromAnyAddress: false, ...managerInput.security },
  }),
);
const controlKey = ControlKey.generate();
const security = isPlain ? {} : { autoIssueCert: true, tlsPolicy: policy, joinToken: await joinToken(manager) };
const scheduler = await startScheduler();
const node = await startNode();
const places = await fillNode(node);
const secrets = (await openSecrets(testConfig(database, managerInput), manager.database, operator)).secrets;

const results: Record<string, Results> = { stranger: await remote('stranger', {}) };
results['proxy client'] = await byProxy(node);
results['local user'] = await bySocket(node);
for (const role of ['peer', 'seed', 'scheduler', 'manager'] as const) {
  places.taskToDelete = await storedTask(`${role}-deletes`);
  Object.assign(places, {
    keptId: await keptAt(node, role),
    keptToDelete: await keptAt(node, `${role}-deletes`),
    persistentId: await persistentAt(node, role),
    persistentToDelete: await persistentAt(node, `${role}-deletes`),
  });
  results[role] = await remote(role, isPlain ? { controlKey: await keyOf(role) } : { tls: await certificateOf(role) });
}
process.stdout.write(JSON.stringify(results));

async function joinToken({ restPort }: ManagerService): Promise<string> {
  const root = await signIn(restPort);
  const body = { name: 'all', expired_at: '2099-01-01T00:00:00Z' };
  return (await root.ok<{ token: string }>('POST', '/api/v1/join-tokens', body)).token;
}

function signIn(port: number): Promise<RestClient> {
  return new RestClient(port, {}, here).signIn('root', rootPassword);
}

async function startScheduler(): Promise<SchedulerService> {
  const yaml = JSON.stringify({
    server: {
      port: 0,
      listenIP: here,
      advertiseIP: here,
      host: 'scheduler',
      cacheDir: swarm.directory.join('scheduler'),
    },
    manager: { addr: `${here}:${manager.grpcPort}`, schedulerClusterID: 1 },
    security,
  });
  const { config } = parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml');
  const service = cleanup.use(await SchedulerService.create(config, { logger: silentLogger, controlKey }));
  await service.start();
  return service;
}

function startNode(): Promise<Daemon> {
  const rules = parseConfig(dfdaemonConfigSchema, 'proxy: {rules: [{regx: .}]}', 'rules.yaml').config.proxy.rules;
  return swarm.startDaemon('node', {
    seed: true,
    schedulers: [],
    adjust: (config) => ({
      ...config,
      workHome: swarm.directory.join('node'),
      host: { ...config.host, advertiseIP: here },
      proxy: { ...config.proxy, rules },
      upload: { ...config.upload, tcpListen: { ...config.upload.tcpListen, listen: here } },
      download: {
        ...config.download,
        peerGRPC: { ...config.download.peerGRPC, tcpListen: { ...config.download.peerGRPC.tcpListen, listen: here } },
      },
      scheduler: {
        ...config.scheduler,
        manager: {
          ...config.scheduler.manager,
          enable: true,
          netAddrs: [{ type: 'tcp' as const, addr: `${here}:${manager.grpcPort}` }],
        },
      },
      security: { ...config.security, ...(security as Partial<typeof config.security>) },
    }),
  });
}

/** Private content, brought through the proxy by somebody with the right, and public content at the origin. */
async function fillNode(daemon: Daemon): Promise<{ -readonly [K in keyof Places]: Places[K] }> {
  const give = serveBody(content, { etag: '"one"' });
  const origin = await startOrigin((request, response) => {
    if (!request.url?.startsWith('/private') || request.headers.authorization === right.authorization)
      return give(request, response);
    response.writeHead(401).end();
  }, here);
  cleanup.use(origin);
  const { peer = '', upload = '', proxy = '' } = daemon.service.addresses;
  const privateUrl = `${origin.url}/private`;
  const { status } = await ask({ port: Number(proxy.split(':').at(-1)) }, privateUrl, { headers: right });
  if (status !== 200) throw new Error(`the proxy answered ${status}`);
  return {
    node: peer,
    nodeHostId: `${here}-node-seed`,
    upload,
    scheduler: scheduler.addresses.grpc,
    manager: `${here}:${manager.grpcPort}`,
    rest: `http://${here}:${manager.restPort}`,
    privateUrl,
    privateId: taskId({ url: privateUrl }),
    publicUrl: `${origin.url}/public`,
    taskToDelete: await storedAt(daemon, `${origin.url}/stranger-deletes`),
    keptId: await published(daemon, await keptAt(daemon, 'stranger')),
    keptToDelete: await keptAt(daemon, 'stranger-deletes'),
    persistentId: await persistentAt(daemon, 'stranger'),
    persistentToDelete: await persistentAt(daemon, 'stranger-deletes'),
  };
}

async function storedAt(daemon: Daemon, url: string): Promise<string> {
  await swarm.download(daemon, { url });
  return taskId({ url });
}

/** Imported by a user of the node. */
async function keptAt(daemon: Daemon, text: string): Promise<string> {
  const path = swarm.directory.join('imported');
  await writeFile(path, text);
  const client = createClient(DfdaemonDownloadDefinition, swarm.channels, `unix:${daemon.socket}`);
  const ttl = { seconds: 3600, nanos: 0 };
  const request = UploadPersistentCacheTaskRequest.fromPartial({ path, persistentReplicaCount: 1, ttl });
  return (await client.uploadPersistentCacheTask(request, { timeoutMs: 30_000 })).id;
}

/** The same for a name of an object store, which is not asked. */
async function persistentAt(daemon: Daemon, name: string): Promise<string> {
  const path = swarm.directory.join('imported');
  await writeFile(path, name);
  const client = createClient(DfdaemonDownloadDefinition, swarm.channels, `unix:${daemon.socket}`);
  const request = UploadPersistentTaskRequest.fromPartial({
    path,
    ...objectNamed(name),
    persistentReplicaCount: 1,
    ttl: { seconds: 3600, nanos: 0 },
    write: 'replicas',
  });
  return (await client.uploadPersistentTask(request, { timeoutMs: 30_000 })).id;
}

function objectNamed(name: string): { url: string; objectStorage: { region: string; endpoint: string } } {
  return { url: `s3://bucket/${name}`, objectStorage: { region: 'r', endpoint: 'http://store' } };
}

/** As version v1 of `model`, for subscribers to speak of. @returns the task. */
async function published(daemon: Daemon, manifestTaskId: string): Promise<string> {
  const digest = `sha256:${'a'.repeat(64)}`;
  const client = createClient(ManagerReleasesDefinition, swarm.channels, `unix:${daemon.socket}`);
  await client.publishRelease({
    release: Release.fromPartial({
      name: 'model',
      version: 'v1',
      contentDigest: digest,
      manifestTaskId,
      manifestDigest: digest,
      replicas: 1,
      expiresAt: new Date('2099-01-01T00:00:00Z'),
    }),
    hostId: '',
  });
  return manifestTaskId;
}

function storedTask(name: string): Promise<string> {
  return storedAt(node, new URL(name, places.publicUrl).href);
}

async function remote(
  name: string,
  proof: { controlKey?: string | undefined; tls?: { ca: string; cert: string; key: string } },
): Promise<Results> {
  const input = JSON.stringify({ places, actor: { ip: there, hostname: name }, ...proof });
  const [program = '', ...rest] = enter;
  const actor = fileURLToPath(new URL('actor.ts', import.meta.url));
  const { stdout } = await run(program, [...rest, process.execPath, actor, input], { timeout: 120_000 });
  return JSON.parse(stdout) as Results;
}

/** Peers and seeds have nothing to show without certificates. */
async function keyOf(role: MemberRole): Promise<string | undefined> {
  if (role === 'scheduler') return controlKey.pem;
  return role === 'manager' ? secrets.read('control key') : undefined;
}

async function certificateOf(role: MemberRole): Promise<{ ca: string; cert: string; key: string }> {
  const { ca, cert, key } = await certificateFor(role, there, { manager, config: testConfig(database, managerInput) });
  return { ca: ca.toString(), cert: cert.toString(), key: key.toString() };
}

/** A program that may use the proxy of the node, and has no credentials: it asks for everything by way of it. */
async function byProxy(daemon: Daemon): Promise<Results> {
  const port = Number(daemon.service.addresses['proxy']?.split(':').at(-1));
  const asks = async (url: string, method = 'GET', headers: Record<string, string> = {}): Promise<string> => {
    const { status } = await ask({ port }, url, { method, headers });
    return status < 400 ? 'yes' : String(status);
  };
  const [nodePort, schedulerPort, managerPort] = [places.node, places.scheduler, places.manager].map(
    (address) => `http://${address}/`,
  ) as [string, string, string];
  return {
    'read content': { GET: await asks(places.privateUrl) },
    'read metadata': { 'GET of the scheduler': await asks(schedulerPort), 'GET of the node': await asks(nodePort) },
    write: { 'output path': await asks(places.publicUrl, 'GET', { 'x-dragonfly-output-path': '/tmp/written' }) },
    delete: { 'DELETE at the node': await asks(nodePort, 'DELETE') },
    register: { 'POST to the manager': await asks(managerPort, 'POST') },
    schedule: { 'POST to the node': await asks(nodePort, 'POST') },
    preheat: { 'POST to the scheduler': await asks(schedulerPort, 'POST') },
    configure: { 'POST to the API': await asks(`${places.rest}/api/v1/configs`, 'POST') },
  };
}

/** A user of the node's machine who may open its socket; what he writes are files of his own. */
async function bySocket(daemon: Daemon): Promise<Results> {
  const client = createClient(DfdaemonDownloadDefinition, swarm.channels, `unix:${daemon.socket}`);
  const outcome = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'yes',
      (error: { code: string }) => error.code,
    );
  const own = await storedTask('local-deletes');
  // At ports of other machines he is what anybody without a proof is.
  const { register, schedule, preheat, configure } = await remote('user', {});
  const local = createClient(DfdaemonLocalDefinition, swarm.channels, `unix:${daemon.socket}`);
  const imported = keptAt(daemon, 'local-deletes');
  const ofStore = persistentAt(daemon, 'local-deletes');
  return {
    'read content': { DownloadTask: await outcome(swarm.download(daemon, { url: places.privateUrl })) },
    'read metadata': { StatLocalTask: await outcome(client.statLocalTask({ taskId: places.privateId })) },
    write: {
      DownloadTask: await outcome(
        swarm.download(daemon, { url: places.publicUrl, outputPath: swarm.directory.join('written') }),
      ),
      UploadPersistentCacheTask: await outcome(imported),
      UploadPersistentTask: await outcome(ofStore),
    },
    delete: {
      DeleteTask: await outcome(client.deleteTask({ taskId: own })),
      RemoveKeptTask: await outcome(local.removeKeptTask({ taskId: await imported })),
      RemovePersistentTask: await outcome(
        local.removePersistentTask({ ...objectNamed('local-deletes'), keepObject: true }),
      ),
    },
    register,
    schedule,
    preheat,
    configure,
  };
}
