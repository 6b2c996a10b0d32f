/**
 * Manifests, always as fresh as the origin has them. Every request asks the origin, conditionally when the manifest is
 * known here, and requests that the origin cannot tell apart share one question. A delivered manifest is verified
 * against its digest, and grants its caller what it names. While the origin is unreachable, a manifest that is known
 * here or held by peers is served to callers with a valid proof.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import { answerError, answerOriginStatus } from '../answers.ts';
import { callerOf } from '../proof/caller.ts';
import { notARegistry, relay, sendOwn } from '../wire/direct.ts';
import { decoded } from './content-coding.ts';
import { conditionFor, confirms, forOthers, refreshedBy } from './manifest-answers.ts';
import { hasDigest } from './manifest-digest.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { forwardedAnswerLines, forwardedResponseHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import { originIsDown, type OriginAccess } from '../proof/origin-access.ts';
import { learnRefusal } from '../proof/refusal.ts';
import {
  manifestFromOther,
  manifestToTell,
  sharedManifest,
  type ManifestAnswer as Answer,
} from '../proof/shared-manifest.ts';
import type { SharedProofs } from '../proof/shared-proofs.ts';
import { aboutBody, sharedRequest, type SharedRequest } from '../proof/shared-request.ts';
import type { BlobSizes } from './blob-sizes.ts';
import { throughMirror } from './mirror-naming.ts';
import { isDigest, type RegistryPath } from './registry-path.ts';
import { registryScope } from './registry-scope.ts';
import type { Upstream } from '../wire/upstream.ts';

export interface KnownManifest extends Answer {
  readonly body: Buffer;
  /** The decoded manifest, if the body is compressed. */
  readonly content?: Buffer;
}

export interface ManifestsOptions {
  readonly upstream: Upstream;
  readonly access: OriginAccess;
  readonly shared: SharedProofs;
  readonly sizes: BlobSizes;
  /** The manifest that nodes of the cluster hold, without asking the origin. */
  readonly held: (call: ClientCall, path: RegistryPath) => Promise<KnownManifest | undefined>;
}

export class Manifests {
  readonly #upstream: Upstream;
  readonly #access: OriginAccess;
  readonly #sharedProofs: SharedProofs;
  readonly #sizes: BlobSizes;
  readonly #held: ManifestsOptions['held'];
  readonly #known = new LRUCache<string, KnownManifest>({
    maxSize: proxyLimits.manifestCacheBytes,
    sizeCalculation: ({ body, content = body }) => (content === body ? 0 : content.length) + body.length + 1024,
  });
  readonly #asking = new Map<string, Promise<Answer>>();

  constructor({ upstream, access, shared, sizes, held }: ManifestsOptions) {
    this.#upstream = upstream;
    this.#access = access;
    this.#sharedProofs = shared;
    this.#sizes = sizes;
    this.#held = held;
  }

  /** Answers GET and HEAD of a manifest. */
  async answer(call: ClientCall, path: RegistryPath): Promise<void> {
    const { record, response, kind } = call;
    record.way = 'manifest';
    try {
      const answer = await this.#shared(call, path);
      send(call, answer);
    } catch (error) {
      if (error instanceof TooLargeError) return relay(call, error.rest);
      const failure = toDragonflyError(error);
      record.error = failure;
      if (failure.details?.statusCode !== undefined) return answerOriginStatus(response, failure, true);
      answerError(response, failure, { kind, type: failure.code === 'DIGEST_MISMATCH' ? 'backend' : 'proxy' });
    }
  }

  /** A client changes the repository through this node: nothing that is known of its manifests counts any more. */
  forget(url: URL, path: RegistryPath): void {
    const manifest = url.href.lastIndexOf('/manifests/');
    const prefix = url.href.slice(0, manifest + '/manifests/'.length);
    if (path.kind !== 'manifest' || manifest < 0) return;
    for (const key of this.#known.keys()) if (key.startsWith(prefix)) this.#known.delete(key);
  }

  /** Callers that ask the same at the same time with the same rights share one question. */
  async #shared(call: ClientCall, path: RegistryPath): Promise<Answer> {
    const asked = askedFor(call);
    const { key } = asked;
    for (;;) {
      const running = this.#asking.get(key);
      if (!running) break;
      try {
        return forOthers(await running);
      } catch (error) {
        // The caller that asked has left, or its answer cannot be shared: this one asks for itself.
        if (!(error instanceof TooLargeError) && toDragonflyError(error).code !== 'CANCELLED') throw error;
        call.signal.throwIfAborted();
      }
    }
    const asking = this.#askOnce(call, path, asked).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  /** Nodes share one question at a time; a manifest with the requested digest stays the same while the answer counts. */
  async #askOnce(call: ClientCall, path: RegistryPath, asked: SharedRequest): Promise<Answer> {
    const { request } = call;
    const answered = await this.#sharedProofs.once({
      byDigest: isDigest(path.reference),
      ...asked,
      ask: () => this.#ask(call, path),
      schema: sharedManifest,
      told: (answer) => manifestToTell(answer, this.#sharedForMs(request, path)),
    });
    if (answered.told === undefined) return answered.own;
    const answer = manifestFromOther(answered.told);
    this.#note(call, path, answer);
    return answer;
  }

  /** Whether a manifest still exists (HEAD), and what a tag names, is asked each time. */
  #sharedForMs({ method }: ClientCall['request'], { reference }: RegistryPath): number {
    return method === 'GET' && isDigest(reference) ? Math.min(this.#access.ttlMs, proxyLimits.sharedManifestMs) : 0;
  }

  async #ask(call: ClientCall, path: RegistryPath): Promise<Answer> {
    const { request, header, url, kind } = call;
    const scope = registryScope(url, path);
    const known = this.#known.get(keyOfForm(call));
    // HEAD has no body to save, and for a manifest by digest registries answer 304 without checking that it still exists.
    const conditional = request.method === 'GET' && !Object.keys(header).some((name) => aboutBody.has(name));
    const condition = conditional && known ? conditionFor(known) : undefined;
    const hasOther = this.#mayServe(scope, callerOf(call), known);
    let message: IncomingMessage;
    try {
      message = await sendOwn(call, this.#upstream, { conditions: condition, hasOther });
      if (message.statusCode === 304 && condition && known) {
        const told = await received(message, true);
        if (confirms(told, known)) return this.#goesOn(call, path, refreshedBy(known, told));
        message = await sendOwn(call, this.#upstream, { hasOther });
      }
    } catch (error) {
      return this.#whileDown(call, path, { scope, known, error: toDragonflyError(error) });
    }
    const statusCode = message.statusCode ?? 502;
    if (isTemporaryStatus(statusCode)) return this.#whileRefusing(call, path, { scope, known, message });
    const answer = await received(message, request.method === 'HEAD');
    if (statusCode === 401 || statusCode === 403)
      this.#access.remember(scope, { statusCode, header: single(answer.header) });
    if (statusCode !== 200) return answer;
    if (kind === 'mirror' && text(answer, 'content-type').startsWith('text/html')) throw notARegistry(url);
    learnRefusal(call, scope, { access: this.#access, upstream: this.#upstream });
    this.#note(call, path, answer);
    return answer;
  }

  /** A manifest that is known, or that peers may hold, could be this caller's while the registry is away. */
  #mayServe(scope: string, caller: string, known: KnownManifest | undefined): boolean {
    if (!known) return this.#access.servesEverybodyWithoutOrigin || this.#access.hasGrants(scope, caller);
    return this.#access.servesWithoutOrigin({ scope, object: contentDigest(known.content ?? known.body), caller });
  }

  /** The registry has said that the manifest is still this one. */
  #goesOn(call: ClientCall, path: RegistryPath, answer: KnownManifest): Answer {
    this.#known.set(keyOfForm(call), forOthers(answer));
    this.#access.grant(registryScope(call.url, path), callerOf(call), provenDigests(answer.content ?? answer.body));
    return answer;
  }

  /** Throws DIGEST_MISMATCH. */
  #note(call: ClientCall, path: RegistryPath, answer: Answer): void {
    if (!answer.body) return;
    const content = decoded(answer.body, text(answer, 'content-encoding'));
    if (!content) return; // the client will see for itself
    verify(path, answer, content);
    this.#known.set(keyOfForm(call), forOthers({ ...answer, body: answer.body, content }));
    this.#sizes.note(content);
    this.#access.grant(registryScope(call.url, path), callerOf(call), provenDigests(content));
  }

  /** The registry is failing or asks for a pause: serves a known or held manifest if the caller may have it, else the registry's answer. */
  async #whileRefusing(
    call: ClientCall,
    path: RegistryPath,
    { message, ...state }: { scope: string; known: KnownManifest | undefined; message: IncomingMessage },
  ): Promise<Answer> {
    const answer = await received(message, call.request.method === 'HEAD');
    try {
      return await this.#whileDown(call, path, { ...state, error: downError(answer) });
    } catch {
      return answer;
    }
  }

  /**
   * Serves a manifest that is known here or held by peers, if the caller may have it; otherwise the origin's last refusal, or an
   * error that it is unreachable.
   */
  async #whileDown(
    call: ClientCall,
    path: RegistryPath,
    { scope, error, ...state }: { scope: string; known: KnownManifest | undefined; error: DragonflyError },
  ): Promise<Answer> {
    if (!originIsDown(error) && error.details?.statusCode !== 429) throw error;
    const caller = callerOf(call);
    if (!state.known && !this.#access.hasGrants(scope, caller)) this.#access.whileDown(scope, error);
    const known = state.known ?? (await this.#held(call, path));
    if (!known) throw error;
    const question = { scope, object: contentDigest(known.content ?? known.body), caller };
    if (!this.#access.isGranted(question)) this.#access.whileDown(scope, error);
    const warning = '111 - "the origin could not be asked"';
    const header = { ...known.header, warning };
    const lines = known.lines && [...known.lines, 'Warning', warning];
    return { ...known, header, lines, body: call.request.method === 'HEAD' ? undefined : known.body };
  }
}

function askedFor({ request: { method }, url, header }: ClientCall): SharedRequest {
  return sharedRequest({ kind: 'manifest', method, url, header, dependsOn: 'answer' });
}

/** A manifest in one form, whoever asks, and whatever part of it he wants. */
function keyOfForm({ url, header }: ClientCall): string {
  const form = Object.fromEntries(Object.entries(header).filter(([name]) => !aboutBody.has(name)));
  const { parts } = sharedRequest({ kind: 'manifest', url, header: form, dependsOn: 'answer' });
  return `${url.href}\n${parts.join('\n')}`;
}

function send(call: ClientCall, answer: Answer): void {
  const { response, record, request } = call;
  const { statusCode, statusMessage, header, body } = answer;
  if (response.destroyed) return;
  const told =
    answer.lines ?? Object.entries(header).flatMap(([name, value]) => [value].flat().flatMap((each) => [name, each]));
  const lines = call.naming ? throughMirror(told, call.naming) : told;
  const sized = 'content-length' in header || !body;
  response.sendDate = answer.lines === undefined;
  const sent = sized ? [...lines] : [...lines, 'Content-Length', String(body.length)];
  if (request.httpVersionMajor === 1) response.writeHead(statusCode, statusMessage, sent);
  else response.writeHead(statusCode, sent);
  noteFirstByte(record);
  record.bytes = body?.length ?? 0;
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Thrown when the body is longer than what is kept. The bytes read so far are put back and the answer is streamed. */
class TooLargeError extends Error {
  readonly rest: IncomingMessage;

  constructor(rest: IncomingMessage) {
    super('the manifest is too large to be kept');
    this.rest = rest;
  }
}

async function received(message: IncomingMessage, head: boolean): Promise<Answer> {
  const answer = {
    statusCode: message.statusCode ?? 502,
    statusMessage: message.statusMessage ?? '',
    lines: forwardedAnswerLines(message).filter((_, index, all) => !isTrailer(all[index - (index % 2)] ?? '')),
    header: forwardedResponseHeader(message),
  };
  if (head || bodiless.has(answer.statusCode)) {
    message.resume();
    return { ...answer, body: undefined };
  }
  const blocks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const block = message.read() as Buffer | null;
    if (block) {
      blocks.push(block);
      length += block.length;
    } else if (message.readableEnded || (message.complete && message.readableLength === 0)) break;
    else await readable(message);
    if (length > proxyLimits.manifestBytes) {
      message.unshift(Buffer.concat(blocks));
      throw new TooLargeError(message);
    }
  }
  return { ...answer, body: Buffer.concat(blocks, length) };
}

function readable(message: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      for (const name of ['readable', 'end', 'error', 'close'] as const) message.removeListener(name, listeners[name]);
      if (error) reject(error);
      else resolve();
    };
    const broken = new DragonflyError('SOURCE_UNREACHABLE', 'the origin broke the connection inside a manifest');
    const listeners = {
      readable: () => done(),
      end: () => done(),
      error: () => done(broken),
      close: () => done(message.complete ? undefined : broken),
    };
    for (const name of ['readable', 'end', 'error', 'close'] as const) message.once(name, listeners[name]);
  });
}

const bodiless: ReadonlySet<number> = new Set([204, 304]);

/** Trailers are not kept, so they must not be announced. */
function isTrailer(name: string): boolean {
  return name.toLowerCase() === 'trailer';
}

function downError({ statusCode, header }: Answer): DragonflyError {
  return new DragonflyError('SOURCE_STATUS', `the origin answered ${statusCode}`, {
    details: { statusCode, header: single(header) },
  });
}

/** Throws DIGEST_MISMATCH when the body is not what was requested. What the registry calls it is between it and its client. */
function verify({ reference }: RegistryPath, answer: Answer, body: Buffer): void {
  if (!isDigest(reference) || hasDigest(body, text(answer, 'content-type'), reference)) return;
  throw new DragonflyError('DIGEST_MISMATCH', `the registry delivered a manifest that is not ${reference}`, {
    hint: 'The registry, or something on the way to it, changes what it delivers.',
  });
}

/** The digests that this manifest proves the caller may read: its own and those it names. */
function provenDigests(body: Buffer): string[] {
  return [...namedDigests(body), contentDigest(body)];
}

function contentDigest(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

/** Every digest that an index or manifest names: manifests, configuration and layers, in both formats and all schema versions. */
export function namedDigests(body: Buffer): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return [];
  }
  const { config, layers, manifests, blobs, fsLayers, subject } = (parsed ?? {}) as Record<string, unknown>;
  const lists = [[config, subject], layers, manifests, blobs, fsLayers];
  return lists.flatMap((list) => (Array.isArray(list) ? list.flatMap(digestOf) : []));
}

function digestOf(descriptor: unknown): string[] {
  const { digest, blobSum } = (descriptor ?? {}) as Record<string, unknown>;
  return [digest, blobSum].filter((value) => typeof value === 'string' && isDigest(value)) as string[];
}

function text(answer: Answer, name: string): string {
  const value = answer.header[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

function single(header: Answer['header']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(header).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}
