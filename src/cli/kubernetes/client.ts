/** The small part of the Kubernetes API that is used: lists and watches, and single objects written with an owner. */
import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { DragonflyError, toDragonflyError, type ErrorCode } from '../../core/errors.ts';

export interface KubernetesApi {
  readonly url: URL;
  /** Read for each request, because tokens of service accounts change while they are used. */
  readonly tokenFile: string | undefined;
  readonly caFile: string | undefined;
}

type Query = Readonly<Record<string, string>>;

export interface ObjectList {
  readonly items: readonly unknown[];
  /** Where a watch goes on. */
  readonly version: string;
}

export interface ObjectEvent {
  readonly type: string;
  readonly object: unknown;
}

interface Ask {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly query?: Query;
  readonly body?: { readonly type: string; readonly json: unknown };
}

const metadataSchema = z.object({ resourceVersion: z.string().default('') }).default({ resourceVersion: '' });
const listSchema = z.object({ metadata: metadataSchema, items: z.array(z.unknown()).nullable() });
const eventSchema = z.object({ type: z.string(), object: z.looseObject({ code: z.unknown().optional() }) });
const statusSchema = z.object({ message: z.string() });

const timeoutMs = 10_000;
/** The server ends a watch after this time; the next one continues where it ended. */
const watchSeconds = 290;
/** The shown length of an answer that does not come from an API server, such as an error page of a proxy. */
const maxShownChars = 200;
const maxAnswerBytes = 64 * 2 ** 20;
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The named API server, or that of the cluster this pod runs in. */
export function kubernetesApi(
  url: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): KubernetesApi {
  if (url !== undefined) {
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw new DragonflyError('INVALID_ARGUMENT', `"${url}" is not the URL of an API server`);
    return { url: new URL(url), tokenFile: undefined, caFile: undefined };
  }
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (!host)
    throw new DragonflyError('INVALID_ARGUMENT', 'this is not a pod, and no API server is named', {
      hint: 'Run it in the cluster, or "kubectl proxy" and --kubernetes http://127.0.0.1:8001.',
    });
  const port = env['KUBERNETES_SERVICE_PORT'] || '443';
  return {
    url: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    tokenFile: `${serviceAccount}/token`,
    caFile: `${serviceAccount}/ca.crt`,
  };
}

export async function listObjects(
  api: KubernetesApi,
  { path, query = {} }: { path: string; query?: Query },
  signal: AbortSignal,
): Promise<ObjectList> {
  const { metadata, items } = listSchema.parse(await askJson(api, path, { query }, signal));
  return { items: items ?? [], version: metadata.resourceVersion };
}

/**
 * Runs until the server ends the watch, which happens regularly; returns the version to continue from. Throws
 * FAILED_PRECONDITION when the given version is too old.
 */
export async function* watchObjects(
  api: KubernetesApi,
  { path, query = {}, version }: { path: string; query?: Query; version: string },
  signal: AbortSignal,
): AsyncGenerator<ObjectEvent, string> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout((watchSeconds + 30) * 1000)]);
  const watch = { resourceVersion: version, watch: '1', allowWatchBookmarks: 'true' };
  const all = { ...query, ...watch, timeoutSeconds: String(watchSeconds) };
  const response = await send(api, path, { query: all }, ends);
  let last = version;
  for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
    if (line === '') continue;
    const { type, object } = eventSchema.parse(JSON.parse(line));
    if (type === 'ERROR')
      throw new DragonflyError(
        object.code === 410 ? 'FAILED_PRECONDITION' : 'UNAVAILABLE',
        object.code === 410 ? `the watch of ${path} is too old to go on` : `the watch of ${path} has failed`,
      );
    const seen = z.object({ metadata: metadataSchema }).safeParse(object);
    if (seen.success && seen.data.metadata.resourceVersion !== '') last = seen.data.metadata.resourceVersion;
    if (type !== 'BOOKMARK') yield { type, object };
  }
  return last;
}

/** The given fields belong to this owner from now on, whoever set them before; fields that it set before and that are absent now are removed. */
export function applyObject(
  api: KubernetesApi,
  { path, object, owner }: { path: string; object: unknown; owner: string },
  signal: AbortSignal,
): Promise<unknown> {
  const body = { type: 'application/apply-patch+yaml', json: object };
  return askJson(api, path, { method: 'PATCH', query: { fieldManager: owner, force: 'true' }, body }, signal);
}

/** @param path of the collection. Throws ALREADY_EXISTS. */
export function createObject(
  api: KubernetesApi,
  { path, object, owner }: { path: string; object: unknown; owner: string },
  signal: AbortSignal,
): Promise<unknown> {
  const body = { type: 'application/json', json: object };
  return askJson(api, path, { method: 'POST', query: { fieldManager: owner }, body }, signal);
}

/** A merge patch. If it contains the resource version, it throws ALREADY_EXISTS when someone else was faster. */
export function patchObject(
  api: KubernetesApi,
  { path, patch }: { path: string; patch: unknown },
  signal: AbortSignal,
): Promise<unknown> {
  const body = { type: 'application/merge-patch+json', json: patch };
  return askJson(api, path, { method: 'PATCH', body }, signal);
}

export async function getObject(api: KubernetesApi, path: string, signal: AbortSignal): Promise<unknown> {
  return unlessGone(askJson(api, path, {}, signal));
}

/** Dependent objects are deleted, too. Does nothing when the object was replaced in the meantime. */
export async function deleteObject(
  api: KubernetesApi,
  { path, uid }: { path: string; uid: string },
  signal: AbortSignal,
): Promise<void> {
  const json = { propagationPolicy: 'Background', preconditions: { uid } };
  await unlessGone(askJson(api, path, { method: 'DELETE', body: { type: 'application/json', json } }, signal));
}

async function unlessGone(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (toDragonflyError(error).code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

async function askJson(api: KubernetesApi, path: string, ask: Ask, signal: AbortSignal): Promise<unknown> {
  const response = await send(api, path, ask, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  return JSON.parse(await textOf(response, path));
}

async function textOf(response: IncomingMessage, path: string): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length > maxAnswerBytes) throw new DragonflyError('RESOURCE_EXHAUSTED', `${path} of the API server has no end`);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function send(
  { url, tokenFile, caFile }: KubernetesApi,
  path: string,
  { method = 'GET', query = {}, body }: Ask,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const target = new URL(path, url);
  target.search = new URLSearchParams(query).toString();
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
  const ca = caFile === undefined ? undefined : await readFile(caFile);
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body.json));
  const headers = {
    accept: 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body && content && { 'content-type': body.type, 'content-length': content.length }),
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = target.protocol === 'https:' ? httpsRequest : httpRequest;
  request(target, { method, headers, signal, ...(ca && { ca }) }, resolve)
    .once('error', reject)
    .end(content);
  let response: IncomingMessage;
  try {
    response = await promise;
  } catch (error) {
    throw new DragonflyError('UNAVAILABLE', `the API server at ${url.host} does not answer`, {
      hint: 'Check --kubernetes, and that this pod may reach it.',
      cause: toDragonflyError(error),
    });
  }
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const text = await textOf(response, path);
  const said = statusSchema.safeParse(jsonOf(text)).data?.message ?? text.slice(0, maxShownChars).trim();
  const why = said === '' ? '' : `: ${said}`;
  throw new DragonflyError(
    codes[status] ?? 'UNAVAILABLE',
    `the API server answers ${status} to ${target.pathname}${why}`,
    {
      hint:
        status === 401 || status === 403
          ? 'Compare the rights of the service account with docs/kubernetes.md.'
          : 'See its log.',
    },
  );
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_ARGUMENT',
  401: 'PERMISSION_DENIED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  410: 'FAILED_PRECONDITION',
  422: 'INVALID_ARGUMENT',
};

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
