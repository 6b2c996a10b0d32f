/**
 * DF2-6/9: every call of a daemon, with messages nobody sends. The corpus is one well-formed request per call; each try
 * changes members of it, or its bytes. Whatever comes, the daemon answers with a status, keeps what it has, and goes on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import type { MessageType, MethodDefinition, ServiceDefinition } from '../../src/rpc/definition.ts';
import { DfdaemonDownloadDefinition, DfdaemonUploadDefinition } from '../../src/rpc/generated/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../src/rpc/generated/dfdaemon/v2/local.ts';
import { firstFuzzSeed, FuzzRandom, fuzzSeconds, mutateBytes, mutateMessage } from '../support/fuzz.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

const content = Buffer.alloc(300_000, 'well-formed ');
const callsAtOnce = 8;

/** A stream that never ends by itself (SyncHost, SyncPieces of an unfinished task) is left after this. */
const patienceMs = 1_000;

/** Instead of a status: the call ended, but the daemon has not said so. */
const brokenOff = -1;

interface Target {
  readonly client: Client;
  readonly service: ServiceDefinition;
  readonly method: MethodDefinition;
}

test(
  `DF2-6/9 no message harms the daemon, from seed ${firstFuzzSeed}`,
  { timeout: (fuzzSeconds + 200) * 1000 },
  async () => {
    await using cleanup = new AsyncDisposableStack();
    const [swarm, origin] = [cleanup.use(await LocalSwarm.create()), cleanup.use(await HttpOrigin.start())];
    const url = origin.add('/file', { content });
    // Names and addresses that come about by chance are not asked.
    const yaml = { adjust: (config: Config) => ({ ...config, download: { ...config.download, egress } }) };
    // A scheduler that is away, at the address the calls come from: they have the rights of one.
    const daemon = await swarm.startDaemon('daemon', { ...yaml, schedulers: ['127.0.0.1:1'] });
    const kept = await swarm.download(daemon, { url });
    assert.equal(kept.bytesFromOrigin, content.length);
    const taskId = (await swarm.client(daemon).listLocalTasks({})).tasks[0]?.taskId ?? '';

    const local = swarm.channels.get(`unix:${daemon.socket}`).client;
    const remote = swarm.channels.get(daemon.service.addresses['peer'] ?? '').client;
    const targets = [
      ...targetsOf(remote, DfdaemonUploadDefinition),
      ...targetsOf(local, DfdaemonDownloadDefinition),
      ...targetsOf(local, DfdaemonLocalDefinition),
    ] as unknown as readonly [Target, ...Target[]];
    const seen = new Map<string, Set<number>>();
    const endMs = performance.now() + fuzzSeconds * 1000;
    let seed = firstFuzzSeed;
    const fuzz = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const own = (seed += 1);
        const random = new FuzzRandom(own);
        const target = random.pick(targets);
        const bytes = hostileRequest(random, target.method, { taskId, url });
        if (!bytes) continue;
        const name = `${target.service.fullName}/${target.method.name}`;
        const code = await call(target, bytes);
        seen.set(name, (seen.get(name) ?? new Set()).add(code));
        assert.notEqual(code, brokenOff, `${name} ended without a word of the daemon, seed ${own}`);
        assert.notEqual(code, status.UNKNOWN, `${name} has an error without a name, seed ${own}`);
      }
    };
    await Promise.all(Array.from({ length: callsAtOnce }, fuzz));

    assert.ok(
      [...seen.values()].some((codes) => codes.has(status.OK)),
      'no call went well: the fuzzer is too rough',
    );
    await waitFor('the downloads under way to end', async () => {
      const { tasks } = await swarm.client(daemon).listLocalTasks({});
      return tasks.every(({ uploadingCount }) => uploadingCount === 0);
    });
    const again = await swarm.download(daemon, { url: origin.add('/after', { content: Buffer.from('after all') }) });
    assert.equal(again.bytesFromOrigin, 9, 'the daemon still downloads');
  },
);

type Config = Parameters<NonNullable<NonNullable<Parameters<LocalSwarm['startDaemon']>[1]>['adjust']>>[0];
const egress: Config['download']['egress'] = { allow: ['127.0.0.1/32'], deny: [] };

function targetsOf(client: Client, service: ServiceDefinition): Target[] {
  return Object.values(service.methods).map((method) => ({ client, service, method }));
}

/** Undefined when what came about cannot even be put into bytes. */
function hostileRequest(random: FuzzRandom, method: MethodDefinition, known: Known): Buffer | undefined {
  const type = method.requestType as MessageType<object> & { fromPartial(partial: object): object };
  let message = type.fromPartial(wellFormed(type.fromPartial({}), known));
  for (let count = random.below(4); count > 0; count -= 1) message = mutateMessage(random, message);
  try {
    const bytes = Buffer.from(type.encode(message).finish());
    return random.below(3) === 0 ? mutateBytes(random, bytes) : bytes;
  } catch {
    return undefined;
  }
}

interface Known {
  readonly taskId: string;
  readonly url: string;
}

/** Fills the members that the protocol knows by name. No path is ever given: what bytes turn into could be any. */
function wellFormed(message: object, { taskId, url }: Known): object {
  const byName: Readonly<Record<string, unknown>> = {
    taskId,
    url,
    hostId: '127.0.0.1-fuzz',
    peerId: 'fuzz',
    remoteIp: '127.0.0.1',
    pieceNumber: 0,
    interestedPieceNumbers: [0],
    persistentReplicaCount: 1,
    timeout: { seconds: 1, nanos: 0 },
    ttl: { seconds: 3600, nanos: 0 },
    objectStorage: { accessKeyId: 'a', accessKeySecret: 'b' },
    needContent: true,
    download: {
      url,
      priority: 6,
      timeout: { seconds: 5, nanos: 0 },
      range: { start: 0, length: 10 },
      requestHeader: { 'x-a': 'b' },
      digest: `sha256:${'0'.repeat(64)}`,
      pieceLength: 4 * 2 ** 20,
      filteredQueryParams: ['a'],
      needPieceContent: true,
    },
  };
  return Object.fromEntries(Object.keys(message).flatMap((key) => (key in byName ? [[key, byName[key]]] : [])));
}

/** Resolves with the status; a stream that goes on is left, which counts as OK. */
function call({ client, service, method }: Target, bytes: Buffer): Promise<number> {
  const raw = (value: Buffer): Buffer => value;
  return new Promise((resolve) => {
    const stream = client.makeServerStreamRequest(
      `/${service.fullName}/${method.name}`,
      raw,
      raw,
      bytes,
      new Metadata(),
    );
    const timer = setTimeout(() => stream.cancel(), patienceMs);
    const end = (code: number): void => {
      clearTimeout(timer);
      resolve(code);
    };
    stream.on('data', () => undefined);
    stream.on('error', ({ code, metadata }: ServiceError) => {
      const told = metadata.get('x-dragonfly-error-code').length > 0;
      // What cannot be decoded, or has no handler, is answered by the library.
      const byLibrary = code === status.INTERNAL || code === status.UNIMPLEMENTED;
      if (code === status.CANCELLED) end(status.OK);
      else end(told || byLibrary ? code : brokenOff);
    });
    stream.on('end', () => end(status.OK));
  });
}
