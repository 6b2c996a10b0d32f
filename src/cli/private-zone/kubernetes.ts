/** The little that is asked of a Kubernetes API server: pods by label, as they change, and the labels of nodes. */
import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { nodeSchema, podSchema, type Pod } from './pods.ts';

export interface KubernetesApi {
  readonly url: URL;
  /** Read for each request: tokens of service accounts change while they are used. */
  readonly tokenFile: string | undefined;
  readonly caFile: string | undefined;
}

export interface PodEvent {
  readonly type: string;
  readonly pod: Pod;
}

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string().default('') }).default({ resourceVersion: '' }),
  items: z.array(z.unknown()),
});
const eventSchema = z.object({ type: z.string(), object: z.unknown() });

const timeoutMs = 10_000;
/** The server ends a watch after this time; the next one goes on where it ended. */
const watchSeconds = 290;
const maxListBytes = 64 * 2 ** 20;

export async function listPods(
  api: KubernetesApi,
  { namespace, selector }: { namespace: string; selector: string },
  signal: AbortSignal,
): Promise<{ readonly pods: Pod[]; readonly version: string }> {
  const query = { labelSelector: selector };
  const { metadata, items } = await getJson(api, podsPath(namespace), query, signal);
  return { pods: items.map((item) => podSchema.parse(item)), version: metadata.resourceVersion };
}

/** Until the server ends it, which it does now and then; throws when the version is too old to go on from. */
export async function* watchPods(
  api: KubernetesApi,
  { namespace, selector, version }: { namespace: string; selector: string; version: string },
  signal: AbortSignal,
): AsyncGenerator<PodEvent> {
  const query = {
    labelSelector: selector,
    resourceVersion: version,
    watch: '1',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(watchSeconds),
  };
  const ends = AbortSignal.any([signal, AbortSignal.timeout((watchSeconds + 30) * 1000)]);
  const response = await get(api, podsPath(namespace), query, ends);
  for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
    if (line === '') continue;
    const { type, object } = eventSchema.parse(JSON.parse(line));
    if (type === 'ERROR') throw new DragonflyError('UNAVAILABLE', 'the watch of pods is too old to go on');
    if (type !== 'BOOKMARK') yield { type, pod: podSchema.parse(object) };
  }
}

/** Labels by the name of the node. */
export async function listNodeLabels(
  api: KubernetesApi,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const { items } = await getJson(api, '/api/v1/nodes', {}, signal);
  return new Map(
    items.map((item) => {
      const { metadata } = nodeSchema.parse(item);
      return [metadata.name, metadata.labels];
    }),
  );
}

function podsPath(namespace: string): string {
  return namespace === '' ? '/api/v1/pods' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
}

async function getJson(
  api: KubernetesApi,
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<z.output<typeof listSchema>> {
  const response = await get(api, path, query, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length > maxListBytes) throw new DragonflyError('RESOURCE_EXHAUSTED', `${path} of the API server has no end`);
  }
  return listSchema.parse(JSON.parse(Buffer.concat(parts).toString('utf8')));
}

async function get(
  { url, tokenFile, caFile }: KubernetesApi,
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const target = new URL(path, url);
  target.search = new URLSearchParams(query).toString();
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
  const headers = { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const ca = caFile === undefined ? undefined : await readFile(caFile);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  send(target, { headers, signal, ...(ca && { ca }) }, resolve)
    .once('error', reject)
    .end();
  let response: IncomingMessage;
  try {
    response = await promise;
  } catch (error) {
    throw new DragonflyError('UNAVAILABLE', `the API server at ${url.host} does not answer`, {
      hint: 'Check --kubernetes, and that this pod may reach it.',
      cause: toDragonflyError(error),
    });
  }
  if (response.statusCode === 200) return response;
  response.destroy();
  const denied = response.statusCode === 401 || response.statusCode === 403;
  throw new DragonflyError(
    denied ? 'PERMISSION_DENIED' : 'UNAVAILABLE',
    `the API server answers ${response.statusCode} to ${target.pathname}`,
    { hint: denied ? 'The service account needs get, list and watch of pods, and list of nodes.' : 'See its log.' },
  );
}
