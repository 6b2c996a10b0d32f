/**
 * The hub's chunk store, as clients with `hf_xet` find it at this node. A caller's token is requested from the hub, and
 * the layout of a file from the store with the token that the hub gave this caller; only the chunks themselves are the
 * same for everybody and come from the swarm. The store is asked about whole files, so that all nodes get the same
 * addresses for requests to the origin.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DragonflyError, toDragonflyError } from '../../../../core/errors.ts';
import { isTemporaryStatus } from '../../../../core/net/origin-status.ts';
import { answerError } from '../../answers.ts';
import { noteFirstByte, type ClientCall } from '../../client-call.ts';
import { forwardDirectly, relay } from '../../wire/direct.ts';
import { forwardedResponseHeader } from '../../wire/header.ts';
import type { Upstream } from '../../wire/upstream.ts';
import { proxyLimits } from '../../limits.ts';
import { hubCaller, type HubAddress } from '../hub-address.ts';
import type { HubQuestion, HubWords } from '../hub-words.ts';
import { isComplete, partOf, readdressed, reconstructionSchema } from './reconstruction.ts';
import { FileGrant, keyOf, XetGrants, type XetRight } from './xet-grants.ts';
import { XorbRanges, type XorbRangesOptions } from './xorb-ranges.ts';
import { withoutTrailing } from '../../../../core/text/linear-text.ts';

export interface XetDoorOptions extends XorbRangesOptions {
  readonly hub: HubAddress;
  readonly words: HubWords;
  readonly upstream: Upstream;
}

const ownPath = '/.dragonfly/xet';
const tokenPath = /^(\/api\/(?:models|datasets|spaces|kernels|buckets)\/.+)\/xet-(read|write)-token(?:\/|$)/;
const filePath = /^\/v1\/reconstructions\/([0-9a-f]{64})$/;
const rangePath = /^\/ranges\/([0-9a-f]{64})\/(\d{1,10})-(\d{1,10})\/(\d{1,12})-(\d{1,12})$/;

/** A file of 100 GB has some 2,000 xorbs, each with a signed URL of about 1 KiB. */
const answerBytes = 32 * 2 ** 20;
/** Signed URLs are valid for longer; a token that the hub has not confirmed counts for a moment only. */
const fileMs = 5 * 60_000;
const offlineMs = 5 * 60_000;
const nowhere = 'https://xet.invalid/';

const tokenSchema = z.object({ casUrl: z.url({ protocol: /^https?$/ }), accessToken: z.string(), exp: z.number() });
const toldRight = z.object({ repository: z.string() });

export class XetDoor {
  readonly #options: XetDoorOptions;
  readonly #grants = new XetGrants();
  readonly #ranges: XorbRanges;
  readonly #asking = new Map<string, Promise<FileGrant | IncomingMessage>>();
  /** Callers and repositories for which the hub has issued tokens. */
  readonly #known = new LRUCache<string, true>({ max: proxyLimits.proofs });

  constructor(options: XetDoorOptions) {
    this.#options = options;
    this.#ranges = new XorbRanges(options);
  }

  /** @param path below the hub's own */
  isFor(path: string): boolean {
    return path.startsWith(`${ownPath}/`) || tokenPath.test(path);
  }

  /** Answers GET in every case. @param path below the hub's own */
  async answer(call: ClientCall, path: string): Promise<void> {
    const { record, response, kind } = call;
    record.way = 'direct';
    try {
      const [, repository, use] = tokenPath.exec(path) ?? [];
      if (repository !== undefined && use === 'read') return await this.#token(call, repository);
      // Writes go to the chunk store itself.
      if (repository !== undefined) return await forwardDirectly(call, this.#options.upstream);
      const own = path.slice(ownPath.length);
      const [, fileId] = filePath.exec(own) ?? [];
      if (fileId !== undefined) return await this.#file(call, fileId);
      if (rangePath.test(own)) return await this.#range(call, own);
      throw new DragonflyError('NOT_FOUND', 'this node has nothing of that name for clients of Xet');
    } catch (error) {
      record.error = toDragonflyError(error);
      answerError(response, record.error, { kind, type: 'proxy' });
    }
  }

  /** The address at which a client gets its token for a file at this commit. */
  tokenLink(call: ClientCall, path: string, commit: string): string | undefined {
    const [, kind = 'models', name] = /^\/(?:(datasets|spaces)\/)?([^/]+\/[^/]+)\/resolve\//.exec(path) ?? [];
    if (name === undefined) return undefined;
    const { doorPath } = this.#options.hub;
    return `<${originOf(call)}${doorPath}/api/${kind}/${name}/xet-read-token/${commit}>; rel="xet-auth"`;
  }

  async #token(call: ClientCall, repository: string): Promise<void> {
    const { words, hub } = this.#options;
    const { header, url } = call;
    const caller = hubCaller(header);
    const question: HubQuestion<z.output<typeof toldRight>> = {
      parts: ['xet-right'],
      schema: toldRight,
      ttlMs: words.ttlMs(true),
    };
    const asked = { ...call, url: hub.urlOf(`${repository}/xet-read-token`).url };
    const offline = async (): Promise<string | undefined> =>
      (await words.last(asked, question)) || this.#known.has(`${caller}\n${repository}`)
        ? this.#grants.issue({ caller, repository, store: undefined }, offlineMs)
        : undefined;
    const known = words.isPaused ? await offline() : undefined;
    if (known !== undefined) return this.#sendToken(call, known, offlineMs);
    let message: IncomingMessage;
    try {
      message = await this.#send(call, url, header);
    } catch (error) {
      const token = words.failed(error) ? await offline() : undefined;
      if (token === undefined) throw error;
      return this.#sendToken(call, token, offlineMs);
    }
    const { statusCode = 502 } = message;
    const answerHeader = forwardedResponseHeader(message);
    if (words.refusedAll(statusCode, answerHeader)) {
      const token = await offline();
      if (token === undefined) return relay(call, message);
      message.destroy();
      return this.#sendToken(call, token, offlineMs);
    }
    if (statusCode !== 200) return relay(call, message);
    const told = tokenOf(message, parsed(await bodyOf(message)));
    if (!told) throw new DragonflyError('PROTOCOL', 'the hub’s token for chunks is not what the specification says');
    const ttlMs = told.exp * 1000 - Date.now();
    const store = { url: withoutTrailing(told.casUrl, '/'), token: told.accessToken };
    this.#known.set(`${caller}\n${repository}`, true);
    words.tell(asked, question, { repository });
    this.#sendToken(call, this.#grants.issue({ caller, repository, store }, ttlMs), ttlMs);
  }

  #sendToken(call: ClientCall, token: string, ttlMs: number): void {
    const { hub } = this.#options;
    const casUrl = `${originOf(call)}${hub.doorPath}${ownPath}`;
    const exp = Math.floor((Date.now() + ttlMs) / 1000);
    const header = {
      'x-xet-cas-url': casUrl,
      'x-xet-access-token': token,
      'x-xet-token-expiration': String(exp),
    };
    sendJson(call, { casUrl, accessToken: token, exp }, header);
  }

  /** @param call whose Range field concerns the file, not the answer */
  async #file(call: ClientCall, fileId: string): Promise<void> {
    const { header, response, kind } = call;
    const right = this.#grants.right(header['authorization']);
    if (!right) {
      const error = new DragonflyError('UNAUTHENTICATED', 'the token for chunks is not one of this node, or too old');
      return answerError(response, error, { kind, type: 'proxy', status: 401 });
    }
    const range = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header['range'] ?? 'bytes=0-');
    if (!range) throw new DragonflyError('INVALID_ARGUMENT', 'one range of the file can be asked for');
    const grant = await this.#grant(call, right, fileId);
    if (!(grant instanceof FileGrant)) return relay(call, grant);
    const last = range[2] ? Number(range[2]) : Number.MAX_SAFE_INTEGER;
    const part = partOf(grant.reconstruction, Number(range[1]), last);
    if (!part) {
      const error = new DragonflyError('RANGE_NOT_SATISFIABLE', 'the file ends before these bytes');
      return answerError(response, error, { kind, type: 'proxy', status: 416 });
    }
    const base = `${originOf(call)}${this.#options.hub.doorPath}${ownPath}/ranges`;
    const addressed = readdressed(part, ({ xorb, chunks, bytes }) =>
      // The secret stands where logs leave it out.
      [base, xorb, `${chunks.start}-${chunks.end}`, `${bytes.start}-${bytes.end}?grant=${grant.id}`].join('/'),
    );
    sendJson(call, addressed, {});
  }

  /** Rejects as Upstream.send does when nothing is known. Returns the store's answer when it refuses. */
  async #grant(call: ClientCall, right: XetRight, fileId: string): Promise<FileGrant | IncomingMessage> {
    const known = this.#grants.file(right, fileId);
    if (known?.isFresh) return known;
    const key = keyOf(right, fileId);
    const running = await this.#asking.get(key)?.catch(() => undefined);
    if (running instanceof FileGrant && running.isFresh) return running;
    const asking = this.#ask(call, right, fileId).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    const grant = await asking;
    if (grant instanceof FileGrant) this.#grants.remember(right, fileId, grant);
    return grant;
  }

  async #ask(call: ClientCall, right: XetRight, fileId: string): Promise<FileGrant | IncomingMessage> {
    const { hub, words } = this.#options;
    const ttlMs = Math.min(fileMs, words.ttlMs(true));
    // What other nodes are told contains the caller as the hub identifies it.
    const asked = {
      ...call,
      url: hub.urlOf(`${right.repository}/xet/${fileId}`).url,
      header: { cookie: right.caller },
    };
    const question = { parts: ['xet-file'], schema: reconstructionSchema, ttlMs };
    const last = async (): Promise<FileGrant | undefined> => {
      const known = this.#grants.file(right, fileId);
      if (known) return known;
      const told = await words.last(asked, question);
      return told && isComplete(told) ? new FileGrant(fileId, told, ttlMs) : undefined;
    };
    if (!right.store) {
      const file = await last();
      if (file) return file;
      throw new DragonflyError('SOURCE_UNREACHABLE', 'the hub cannot be asked how this file is put together', {
        hint: 'It is known again once the hub answers.',
      });
    }
    const url = new URL(`${right.store.url}/v1/reconstructions/${fileId}`);
    const { range: _, ...header } = call.header;
    let message: IncomingMessage;
    try {
      message = await this.#send(call, url, { ...header, authorization: `Bearer ${right.store.token}` });
    } catch (error) {
      const file = toDragonflyError(error).code === 'CANCELLED' ? undefined : await last();
      if (file) return file;
      throw error;
    }
    const { statusCode = 502 } = message;
    const file = isTemporaryStatus(statusCode) ? await last() : undefined;
    if (file) {
      message.destroy();
      return file;
    }
    if (statusCode !== 200) return message;
    const reconstruction = reconstructionSchema.safeParse(parsed(await bodyOf(message))).data;
    if (!reconstruction || !isComplete(reconstruction))
      throw new DragonflyError('PROTOCOL', 'the chunk store’s answer is not what the specification says');
    words.tell(
      asked,
      question,
      readdressed(reconstruction, () => nowhere),
    );
    return new FileGrant(fileId, reconstruction, ttlMs);
  }

  async #range(call: ClientCall, own: string): Promise<void> {
    const [, xorb = '', ...numbers] = rangePath.exec(own) ?? [];
    const [start = 0, end = 0, from = 0, to = 0] = numbers.map(Number);
    const grant = this.#grants.byId(call.url.searchParams.get('grant') ?? '');
    const range = grant?.find({ xorb, chunks: { start, end }, bytes: { start: from, end: to } });
    // 403 makes clients ask for a new address
    if (!grant || !range) throw new DragonflyError('PERMISSION_DENIED', 'the address of these chunks is too old');
    if (call.header['range'] !== `bytes=${from}-${to}`)
      throw new DragonflyError('RANGE_NOT_SATISFIABLE', 'the address is for other bytes');
    await this.#ranges.answer(call, { range, proof: grant.proof, refused: () => grant.refuse() });
  }

  #send(call: ClientCall, url: URL, header: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const { trust, loopbackAllowed, signal } = call;
    const sent = { ...header, 'accept-encoding': 'identity' };
    return this.#options.upstream.send({ method: 'GET', url, header: sent, trust, loopbackAllowed, signal });
  }
}

/** This node's origin as the client addresses it. */
function originOf({ request }: ClientCall): string {
  const isSecure = (request.socket as Partial<TLSSocket>).encrypted === true;
  return `${isSecure ? 'https' : 'http'}://${request.headers.host ?? ''}`;
}

function tokenOf({ headers }: IncomingMessage, body: unknown): z.output<typeof tokenSchema> | undefined {
  const told = {
    casUrl: headers['x-xet-cas-url'],
    accessToken: headers['x-xet-access-token'],
    exp: Number(headers['x-xet-token-expiration']),
  };
  return tokenSchema.safeParse(told).data ?? tokenSchema.safeParse(body).data;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const blocks: Buffer[] = [];
  let length = 0;
  try {
    for await (const block of message) {
      blocks.push(block as Buffer);
      length += (block as Buffer).length;
      if (length > answerBytes) throw new DragonflyError('PROTOCOL', 'the hub’s answer about chunks is too long');
    }
  } catch (cause) {
    if (cause instanceof DragonflyError) throw cause;
    throw new DragonflyError('SOURCE_UNREACHABLE', 'the hub broke off inside its answer', { cause });
  }
  return Buffer.concat(blocks, length);
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function sendJson({ response, record }: ClientCall, value: unknown, header: Record<string, string>): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    ...header,
  });
  noteFirstByte(record);
  record.bytes = body.length;
  response.end(body);
}
