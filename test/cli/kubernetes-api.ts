/**
 * What an API server answers to controllers: objects with versions, generations, finalizers and owners; watches that go on from a
 * version, and refuse one that is too old; server-side apply, in which each manager owns the fields it names (lists are taken whole).
 * No kubelet and no controllers: pods become ready when a test says so. Namespaces and dependents are collected as they are there.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { parse } from 'yaml';
import { root } from '../house/repository.ts';

type Fields = Record<string, unknown>;

export interface StoredObject {
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    labels?: Record<string, string>;
    finalizers?: string[];
    ownerReferences?: { uid: string }[];
    deletionTimestamp?: string;
  };
  spec?: Fields;
  status?: Fields;
  [key: string]: unknown;
}

interface Place {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly part: string | undefined;
}

interface Change {
  readonly version: number;
  readonly type: string;
  readonly resource: string;
  readonly object: StoredObject;
}

class Refused extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export class KubernetesApiServer implements AsyncDisposable {
  /** Every change that was asked for, as `PATCH deployments/x`. */
  readonly writes: string[] = [];
  /** How often each kind was listed. */
  readonly lists: Record<string, number> = {};
  /** Answers to writes, before they are looked at: a number refuses. */
  refuse: (write: string) => number | undefined = () => undefined;
  readonly #objects = new Map<string, StoredObject>();
  readonly #owned = new Map<string, Set<string>>();
  readonly #watchers = new Map<ServerResponse, { resource: string; labels: string; namespace: string | undefined }>();
  #history: Change[] = [];
  #oldest = 0;
  #version = 1;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        const code = error instanceof Refused ? error.code : 500;
        response.writeHead(code, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ kind: 'Status', code, message: (error as Error).message }));
      });
    });
  }

  static async start(): Promise<KubernetesApiServer> {
    const api = new KubernetesApiServer();
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** @param key `deployments/namespace/name`, `namespaces//name`. */
  get(key: string): StoredObject | undefined {
    return structuredClone(this.#objects.get(key));
  }

  keys(): string[] {
    return [...this.#objects.keys()].sort();
  }

  /** As another client would: status and spec may be changed alike. */
  change(key: string, change: (object: StoredObject) => void): void {
    const object = structuredClone(this.#objects.get(key));
    if (!object) throw new Error(`there is no ${key}`);
    change(object);
    this.#store(key, object);
  }

  create(resource: string, object: Fields): StoredObject {
    const { name, namespace = '' } = object['metadata'] as { name: string; namespace?: string };
    const key = `${resource}/${namespace}/${name}`;
    if (this.#objects.has(key)) throw new Refused(409, `${key} already exists`);
    const space = this.#objects.get(`namespaces//${namespace}`);
    if (namespace !== '' && !space) throw new Refused(404, `namespaces "${namespace}" not found`);
    if (space?.metadata.deletionTimestamp) throw new Refused(403, `${namespace} is being terminated`);
    const made = structuredClone(object) as StoredObject;
    const creationTimestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    Object.assign(made.metadata, { uid: randomUUID(), creationTimestamp, generation: 0 });
    return this.#store(key, made);
  }

  delete(key: string): void {
    const object = structuredClone(this.#objects.get(key));
    if (!object) throw new Refused(404, `${key} not found`);
    object.metadata.deletionTimestamp ??= new Date().toISOString();
    this.#store(key, object);
  }

  /** Ends all watches; what they go on from is too old when it was forgotten. */
  endWatches({ forget }: { forget: boolean }): void {
    if (forget) [this.#history, this.#oldest] = [[], (this.#version += 1)];
    for (const response of this.#watchers.keys()) response.end();
    this.#watchers.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    const place = placeOf(pathname);
    const { resource, namespace, name, part } = place;
    const key = `${resource}/${namespace ?? ''}/${name ?? ''}`;
    const { method = 'GET' } = request;
    const body = method === 'GET' ? {} : ((await json(request)) as Fields);
    if (method !== 'GET') {
      const written = name ?? (body['metadata'] as { name: string }).name;
      const write = `${method} ${resource}/${written}${part === undefined ? '' : `/${part}`}`;
      this.writes.push(write);
      const code = this.refuse(write);
      if (code !== undefined) throw new Refused(code, `${write} is refused`);
    } else if (name === undefined) return this.#tell(response, place, searchParams);
    const send = (code: number, object: unknown): void => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify(object));
    };
    if (method === 'POST') return send(201, this.create(resource, body));
    const before = this.#objects.get(key);
    if (method === 'PATCH' && request.headers['content-type'] === 'application/apply-patch+yaml')
      return send(200, this.#apply(key, { place, body, manager: searchParams.get('fieldManager') ?? '' }));
    if (!before) throw new Refused(404, `${key} not found`);
    if (method === 'GET') return send(200, before);
    if (method === 'DELETE') {
      const { uid } = (body['preconditions'] ?? {}) as { uid?: string };
      if (uid !== undefined && uid !== before.metadata.uid)
        throw new Refused(409, 'the UID in the precondition differs');
      this.delete(key);
      return send(200, this.#objects.get(key) ?? before);
    }
    const { resourceVersion } = (body['metadata'] ?? {}) as { resourceVersion?: string };
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion)
      throw new Refused(409, 'the object has been modified');
    return send(200, this.#store(key, mergePatch(before, body) as StoredObject));
  }

  #tell(response: ServerResponse, { resource, namespace }: Place, query: URLSearchParams): void {
    const labels = query.get('labelSelector') ?? '';
    const watched = { resource, labels, namespace };
    response.writeHead(200, { 'content-type': 'application/json' });
    if (query.get('watch') !== '1') {
      this.lists[resource] = (this.lists[resource] ?? 0) + 1;
      const items = [...this.#objects]
        .filter(([key, object]) => key.startsWith(`${resource}/`) && isWatched(object, watched))
        // Items of a real list have no kind.
        .map(([, { kind: _kind, apiVersion: _apiVersion, ...item }]) => item);
      response.end(JSON.stringify({ kind: 'List', metadata: { resourceVersion: String(this.#version) }, items }));
      return;
    }
    const from = Number(query.get('resourceVersion'));
    if (from < this.#oldest) {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    response.flushHeaders();
    this.#watchers.set(response, watched);
    response.on('close', () => this.#watchers.delete(response));
    for (const change of this.#history) if (change.version > from) notify(response, watched, change);
  }

  /** Fields that this manager named before and names no more go, unless somebody else has named them. */
  #apply(key: string, { place, body, manager }: { place: Place; body: Fields; manager: string }): StoredObject {
    const { status, ...rest } = body;
    const applied = place.part === 'status' ? { status } : rest;
    const before = this.#objects.get(key);
    if (place.part === 'status' && !before) throw new Refused(404, `${key} not found`);
    const owner = `${manager} ${place.part ?? ''} ${before?.metadata.uid ?? ''}`;
    const paths = new Set(leavesOf(applied));
    const next = structuredClone(before ?? {}) as Fields;
    for (const path of this.#owned.get(owner) ?? [])
      if (!paths.has(path)) {
        const lost = JSON.parse(path) as string[];
        const emptied = lost.slice(0, -1).map((_key, index) => lost.slice(0, index + 1));
        const isNull = emptied.find((above) => paths.has(JSON.stringify(above)));
        // As a real one does: what is merged and has lost its last key is null, which a schema of its own does not allow.
        if (isNull && !isAtomic(place.resource, isNull))
          throw new Refused(422, `${isNull.join('.')}: Invalid value: "null": in body must be of type object: "null"`);
        remove(next, lost);
      }
    const merged = mergePatch(next, applied) as Fields;
    const stored = before ? this.#store(key, merged as StoredObject) : this.create(place.resource, merged);
    this.#owned.set(`${manager} ${place.part ?? ''} ${stored.metadata.uid}`, paths);
    return stored;
  }

  #store(key: string, object: StoredObject): StoredObject {
    const before = this.#objects.get(key);
    const { deletionTimestamp, finalizers = [] } = object.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0) return this.#collect(key, object);
    if (before && JSON.stringify(before) === JSON.stringify(object)) return before;
    this.#version += 1;
    const isNewSpec = JSON.stringify(before?.spec) !== JSON.stringify(object.spec) || !before;
    object.metadata.generation = (before?.metadata.generation ?? 0) + (isNewSpec ? 1 : 0);
    object.metadata.resourceVersion = String(this.#version);
    this.#objects.set(key, object);
    this.#record(before ? 'MODIFIED' : 'ADDED', key, object);
    return object;
  }

  /** With what is in a namespace, and what is owned. */
  #collect(key: string, object: StoredObject): StoredObject {
    this.#objects.delete(key);
    this.#version += 1;
    object.metadata.resourceVersion = String(this.#version);
    for (const [other, { metadata }] of this.#objects) {
      const isInside = key.startsWith('namespaces/') && metadata.namespace === object.metadata.name;
      const isOwned = metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid) ?? false;
      if (isInside || isOwned) this.delete(other);
    }
    this.#record('DELETED', key, object);
    return object;
  }

  #record(type: string, key: string, object: StoredObject): void {
    const change = { version: this.#version, type, resource: key.split('/')[0] ?? '', object: structuredClone(object) };
    this.#history.push(change);
    for (const [response, watched] of this.#watchers) notify(response, watched, change);
  }
}

function placeOf(pathname: string): Place {
  const parts = pathname.split('/').filter((part) => part !== '');
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const [namespace, inside] =
    rest[0] === 'namespaces' && rest.length > 2 ? [rest[1], rest.slice(2)] : [undefined, rest];
  const [resource = '', name, part] = inside;
  return { resource, namespace, name, part };
}

function isWatched(
  { metadata }: StoredObject,
  { labels, namespace }: { labels: string; namespace: string | undefined },
) {
  const [label = '', value] = labels.split('=');
  return (
    (labels === '' || metadata.labels?.[label] === value) && (namespace ?? metadata.namespace) === metadata.namespace
  );
}

function notify(
  response: ServerResponse,
  watched: { resource: string; labels: string; namespace: string | undefined },
  { type, resource, object }: Change,
): void {
  if (resource === watched.resource && isWatched(object, watched))
    response.write(`${JSON.stringify({ type, object })}\n`);
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly 'x-kubernetes-map-type'?: string;
}

/** By the definition that the chart brings; kinds of Kubernetes itself take null for what is empty. */
function isAtomic(resource: string, path: readonly string[]): boolean {
  const file = join(root, `deploy/chart/files/${resource}.yaml`);
  if (!existsSync(file)) return true;
  const definition = parse(readFileSync(file, 'utf8')) as {
    spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] };
  };
  let schema: Schema | undefined = definition.spec.versions[0].schema.openAPIV3Schema;
  for (const key of path) {
    schema = schema?.properties?.[key];
    if (schema?.['x-kubernetes-map-type'] === 'atomic') return true;
  }
  return false;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mergePatch(before: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return structuredClone(patch);
  const result: Fields = isFields(before) ? structuredClone(before) : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function leavesOf(value: unknown, path: readonly string[] = []): string[] {
  if (!isFields(value) || Object.keys(value).length === 0) return [JSON.stringify(path)];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}

function remove(object: Fields, [key = '', ...rest]: readonly string[]): void {
  const inner = object[key];
  if (rest.length === 0) delete object[key];
  else if (isFields(inner)) remove(inner, rest);
}
