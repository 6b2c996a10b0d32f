/** Preheats by the manager: starts them, and follows them until each node has reported its result. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { manifestUrlOfImage } from '../../core/oci/reference.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import { serverSentEvents } from './server-sent-events.ts';

export interface ManagerAccess {
  readonly url: URL;
  /** A file with a personal access token of scope job; read for each request, because the token may be renewed. */
  readonly tokenFile: string;
  /** The cluster at the manager; undefined for all. */
  readonly clusterId: number | undefined;
  /** A file in the layout of docker's config.json. */
  readonly registryAuthFile: string | undefined;
}

export interface PreheatJob {
  readonly kind: 'image' | 'file' | 'model';
  /** Name of an image, or a URL. */
  readonly content: string;
  /** The platform of an image; undefined for the manager's default. */
  readonly platform: string | undefined;
  /** Of daemons. */
  readonly ips: readonly string[];
}

/** The manager says something more often than that. */
const silenceMs = 60_000;
const requestTimeoutMs = 10_000;
const maxJobMs = 2 * 3_600_000;

const unitSchema = z.object({ ip: z.string(), url: z.string(), description: z.string().default('') });
const units = z.array(unitSchema).default([]);
const jobSchema = z.object({
  id: z.number(),
  state: z.string(),
  result: z
    .object({
      job_states: z
        .array(
          z.object({
            error: z.string().default(''),
            results: z.array(z.object({ success_tasks: units, failure_tasks: units })).default([]),
          }),
        )
        .default([]),
    })
    .nullable()
    .catch(null),
});
const changeSchema = z.object({ ids: z.array(z.number()).default([]) });
const refusalSchema = z.object({
  message: z.string().optional().catch(undefined),
  errors: z.string().optional().catch(undefined),
});
const authSchema = z.object({
  auths: z.record(
    z.string(),
    z.object({ auth: z.string().optional(), username: z.string().optional(), password: z.string().optional() }),
  ),
});

/** @returns for nodes that do not hold it the reason, by address. Throws when the job failed as a whole. */
export async function preheat(
  manager: ManagerAccess,
  job: PreheatJob,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const args = {
    type: job.kind,
    url: job.content,
    scope: 'all_peers',
    ips: job.ips,
    ...(job.platform !== undefined && { platform: job.platform }),
    ...(job.kind === 'image' && (await credentialsFor(manager, job.content))),
  };
  const body = {
    type: 'preheat',
    args,
    ...(manager.clusterId !== undefined && { scheduler_cluster_ids: [manager.clusterId] }),
  };
  const { id } = jobSchema.parse(await ask(manager, 'jobs', signal, body));
  const over = AbortSignal.any([signal, AbortSignal.timeout(maxJobMs)]);
  for (let failures = 1; ; failures += 1) {
    const attempt = new AbortController();
    try {
      for await (const _change of changesOf(manager, id, AbortSignal.any([over, attempt.signal]))) {
        const { state, result } = jobSchema.parse(await ask(manager, `jobs/${id}`, over));
        if (state !== 'PENDING') return outcome(job, result);
        failures = 1;
      }
    } catch (error) {
      // A manager that is briefly away continues the job when it is back.
      if (over.aborted || toDragonflyError(error).code !== 'UNAVAILABLE') throw error;
    } finally {
      attempt.abort();
    }
    await delay(backOffMs(failures), undefined, { signal: over });
  }
}

/** Each time the job may have changed, once at first. Ends with the stream. Throws UNAVAILABLE, INVALID_ARGUMENT. */
async function* changesOf(manager: ManagerAccess, id: number, signal: AbortSignal): AsyncGenerator<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    const response = await send(manager, 'events', AbortSignal.any([signal, silence.signal]));
    for await (const { name, data } of serverSentEvents(response)) {
      timer.refresh();
      if (name === 'reset') yield;
      if (name !== 'change') continue;
      const { ids } = changeSchema.parse(JSON.parse(data));
      if (ids.length === 0 || ids.includes(id)) yield;
    }
  } catch (error) {
    if (signal.aborted || error instanceof DragonflyError) throw error;
    throw new DragonflyError('UNAVAILABLE', `the manager at ${manager.url.host} does not answer`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function outcome({ ips }: PreheatJob, result: z.output<typeof jobSchema>['result']): ReadonlyMap<string, string> {
  const told = result?.job_states ?? [];
  const all = told.flatMap(({ results }) => results);
  const failed = new Map(
    all.flatMap(({ failure_tasks: tasks }) => tasks.map(({ ip, url, description }) => [ip, `${url}: ${description}`])),
  );
  const succeeded = new Set(all.flatMap(({ success_tasks: tasks }) => tasks.map(({ ip }) => ip)));
  const reason = told.find(({ error }) => error !== '')?.error ?? 'the manager knows no such daemon yet';
  return new Map(
    ips.flatMap((ip) => {
      const why = failed.get(ip) ?? (succeeded.has(ip) ? undefined : reason);
      return why === undefined ? [] : [[ip, why]];
    }),
  );
}

async function credentialsFor({ registryAuthFile }: ManagerAccess, image: string): Promise<object> {
  if (registryAuthFile === undefined) return {};
  const { auths } = authSchema.parse(JSON.parse(await readFile(registryAuthFile, 'utf8')));
  const url = manifestUrlOfImage(image);
  const host = url === undefined ? '' : new URL(url).host;
  const entry = Object.entries(auths).find(([registry]) => hostOf(registry) === host)?.[1];
  if (!entry) return {};
  const [username, ...rest] = Buffer.from(entry.auth ?? '', 'base64')
    .toString('utf8')
    .split(':');
  return { username: entry.username ?? username, password: entry.password ?? rest.join(':') };
}

/** Entries are hosts or URLs; Docker Hub has a special name in them. */
function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return /^(?:index\.)?docker\.io$/.test(host) ? 'registry-1.docker.io' : host;
}

async function ask(manager: ManagerAccess, path: string, signal: AbortSignal, body?: object): Promise<unknown> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]);
  const response = await send(manager, path, limited, body);
  try {
    return await response.json();
  } catch (error) {
    throw new DragonflyError('UNAVAILABLE', `the manager at ${manager.url.host} broke off`, { cause: error });
  }
}

/** Throws UNAVAILABLE, INVALID_ARGUMENT. */
async function send(manager: ManagerAccess, path: string, signal: AbortSignal, body?: object): Promise<Response> {
  const token = (await readFile(manager.tokenFile, 'utf8')).trim();
  let response: Response;
  try {
    response = await fetch(new URL(`/oapi/v1/${path}`, manager.url), {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      // The token must reach this manager only.
      redirect: 'error',
      signal,
    });
  } catch (error) {
    throw new DragonflyError('UNAVAILABLE', `the manager at ${manager.url.host} does not answer`, { cause: error });
  }
  if (response.ok) return response;
  const told = refusalSchema.safeParse(await response.json().catch(() => undefined)).data;
  throw new DragonflyError(
    response.status >= 500 || response.status === 429 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT',
    `the manager answers ${response.status}: ${told?.errors ?? told?.message ?? ''}`,
    { hint: response.status === 401 || response.status === 403 ? 'Its token needs the scope job.' : 'See its log.' },
  );
}
