/** Calls with messages nobody sends, for the fuzz tests of services. */
import { Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import type { MessageType, MethodDefinition, ServiceDefinition } from '../../src/rpc/definition.ts';
import { mutateBytes, mutateMessage, type FuzzRandom } from './fuzz.ts';

/** A stream that never ends by itself (SyncHost, SyncPieces of an unfinished task) is left after this. */
const patienceMs = 1_000;

/** Instead of a status: the call ended, but the service has not said so. */
export const brokenOff = -1;

/** Instead of a status: nothing had come when the stream was left. */
export const silent = -2;

export interface Target {
  readonly client: Client;
  readonly service: ServiceDefinition;
  readonly method: MethodDefinition;
}

export function targetsOf(client: Client, service: ServiceDefinition): Target[] {
  return Object.values(service.methods).map((method) => ({ client, service, method }));
}

/** Undefined when what came about cannot even be put into bytes. */
export function hostileRequest(random: FuzzRandom, method: MethodDefinition, known: Known): Buffer | undefined {
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

export interface Known {
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

/** Resolves with the status; a stream that goes on is left, which counts as OK if something has come. */
export function call({ client, service, method }: Target, bytes: Buffer): Promise<number> {
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
    let answered = false;
    stream.on('data', () => (answered = true));
    stream.on('error', ({ code, metadata }: ServiceError) => {
      const told = metadata.get('x-dragonfly-error-code').length > 0;
      // What cannot be decoded, or has no handler, is answered by the library.
      const byLibrary = code === status.INTERNAL || code === status.UNIMPLEMENTED;
      if (code === status.CANCELLED) end(answered ? status.OK : silent);
      else end(told || byLibrary ? code : brokenOff);
    });
    stream.on('end', () => end(status.OK));
  });
}
