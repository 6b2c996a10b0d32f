/** The manager's REST API for `dfctl`. It is called with a personal access token, which is never a command line argument that others could see. */
import { DragonflyError, type ErrorCode } from '../../core/errors.ts';
import type { CommandIo } from '../../core/process/command.ts';

export interface ManagerFlags {
  readonly manager?: string;
  readonly json?: boolean;
}

/** The fields of the API's answer that are used here. */
export interface Node {
  readonly id: string;
  readonly scheduler_cluster_id: number;
  readonly host_name: string;
  readonly ip: string;
  readonly port: number;
  readonly type: string;
  readonly idc: string;
  readonly location: string;
  readonly version: string;
  readonly platform: string;
  readonly state: string;
  readonly reason: string;
  readonly since_ms: number;
  readonly joined_at_ms: number;
  readonly last_word_ms: number;
  readonly unreachable: boolean;
  readonly disk_total: number;
  readonly disk_free: number;
  readonly memory_total: number;
  readonly memory_available: number;
  readonly uploads_running: number;
  readonly uploads: number;
  readonly uploads_failed: number;
  readonly tasks: number;
  readonly struck_off_until_ms: number;
  readonly accusers: readonly string[];
}

export interface NodeWithLog extends Node {
  readonly log: readonly { readonly state: string; readonly reason: string; readonly at_ms: number }[];
}

export interface Concern {
  readonly kind: string;
  readonly severity: 'error' | 'warning';
  readonly name: string;
  readonly detail: string;
  readonly advice: string;
  readonly since_ms: number;
  readonly acknowledged_by: string;
}

export interface Cluster {
  readonly id: number;
  readonly name: string;
  readonly bio: string;
  readonly scheduler_cluster_id: number;
  readonly is_default: boolean;
}

export interface Figures {
  readonly origin_bytes: number;
  readonly peer_bytes: number;
  readonly given_bytes: number;
  readonly downloads: number;
  readonly failures: number;
}

export interface Share extends Figures {
  readonly name: string;
  readonly before: Figures;
}

export interface Shares {
  readonly total: Figures;
  readonly before: Figures;
  readonly shares: readonly Share[];
}

export interface Distribution {
  readonly task_id: string;
  readonly url: string;
  readonly started_at_ms: number;
  readonly ended_at_ms: number;
  readonly downloads: number;
  readonly failures: number;
  readonly copies: number;
  readonly last_node: string;
}

export interface HotTask {
  readonly task_id: string;
  readonly url: string;
  readonly downloads: number;
  readonly origin_bytes: number;
  readonly peer_bytes: number;
}

export interface Report {
  readonly month: string;
  readonly total: Figures;
  readonly before: Figures;
  readonly applications: readonly Share[];
  readonly zones: readonly Share[];
  readonly nodes: readonly Share[];
  readonly dragging: readonly Share[];
  readonly failing_origins: readonly Share[];
  readonly tasks: readonly HotTask[];
  readonly slowest: readonly Distribution[];
}

export interface Release {
  readonly name: string;
  readonly version: string;
  readonly content_length: number;
  readonly new_length: number;
  readonly file_count: number;
  readonly replicas: number;
  readonly publisher: string;
  readonly public_key: string;
  readonly created_at: string;
  readonly expires_at: string;
  readonly is_newest: boolean;
  readonly version_count: number;
  readonly previous_version: string;
  readonly returns_to: string;
  readonly subscriber_count: number;
  readonly running_count: number;
  readonly fetching_count: number;
  readonly failed_count: number;
}

export interface ReleaseSubscriber {
  readonly host_id: string;
  readonly path: string;
  readonly version: string;
  readonly state: string;
  readonly error: string;
  readonly updated_at: string;
}

export interface ReplicationRule {
  readonly id: number;
  readonly name: string;
  readonly source: string;
  readonly tags: readonly string[];
  readonly on_push: boolean;
  readonly interval_seconds: number;
  readonly rate_bytes_per_sec: number;
  readonly enabled: boolean;
  readonly tag_count: number;
  readonly listed_at: string | null;
  readonly error: string;
  /** Empty for none. */
  readonly target: string;
  readonly target_copies: ReplicaCounts | null;
  readonly clusters: readonly (ReplicaCounts & { readonly scheduler_cluster_id: number })[];
}

interface ReplicaCounts {
  readonly proven: number;
  readonly copied: number;
  readonly running: number;
  readonly waiting: number;
  readonly failed: number;
  readonly bytes: number;
}

export interface ReplicatedTag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly error: string;
  readonly clusters: readonly (ReplicatedCopy & { readonly scheduler_cluster_id: number })[];
  readonly target: ReplicatedCopy | null;
}

interface ReplicatedCopy {
  readonly state: string;
  readonly digest: string;
  readonly bytes: number;
  readonly proven_at: string | null;
  readonly error: string;
}

type Query = Readonly<Record<string, string | number | undefined>>;

const timeoutMs = 10_000;
const defaultManager = 'http://127.0.0.1:8080';
/** The most rows of one answer. */
export const everyRow = 10_000;

export class ManagerApi {
  readonly #base: URL;
  readonly #token: string;
  readonly #signal: AbortSignal;

  /** Throws INVALID_ARGUMENT when the manager or the token is missing or invalid. */
  constructor({ manager }: ManagerFlags, { env, signal }: CommandIo) {
    const address = manager ?? (env['DFCTL_MANAGER'] || defaultManager);
    const text = address.includes('://') ? address : `http://${address}`;
    if (!URL.canParse(text) || !/^https?:/.test(text))
      throw new DragonflyError('INVALID_ARGUMENT', `"${address}" is not the address of a manager`, {
        hint: `Write it like ${defaultManager}, by --manager or DFCTL_MANAGER.`,
      });
    const token = env['DFCTL_TOKEN'];
    if (!token)
      throw new DragonflyError('UNAUTHENTICATED', 'there is no personal access token for the manager', {
        hint: 'Make one with the scope cluster in the console, under Access tokens, and put it into DFCTL_TOKEN.',
      });
    this.#base = new URL(text.endsWith('/') ? text : `${text}/`);
    this.#token = token;
    this.#signal = signal;
  }

  nodes(query: Query = {}): Promise<Node[]> {
    return this.#get('nodes', { per_page: everyRow, ...query });
  }

  node(id: string): Promise<NodeWithLog> {
    return this.#get(`nodes/${encodeURIComponent(id)}`);
  }

  concerns(): Promise<Concern[]> {
    return this.#get('concerns');
  }

  clusters(): Promise<Cluster[]> {
    return this.#get('clusters', { per_page: everyRow });
  }

  shares(query: Query): Promise<Shares> {
    return this.#get('traffic/shares', query);
  }

  distributions(query: Query): Promise<Distribution[]> {
    return this.#get('traffic/distributions', query);
  }

  hotTasks(query: Query): Promise<HotTask[]> {
    return this.#get('traffic/tasks', query);
  }

  report(query: Query): Promise<Report> {
    return this.#get('traffic/report', query);
  }

  releases(query: Query): Promise<Release[]> {
    return this.#get('releases', query);
  }

  subscribers(name: string): Promise<ReleaseSubscriber[]> {
    return this.#get(`releases/${encodeURIComponent(name)}/subscribers`, { per_page: everyRow });
  }

  replicationRules(): Promise<ReplicationRule[]> {
    return this.#get('replication-rules', { per_page: everyRow });
  }

  /** Throws NOT_FOUND. */
  async replicationRule(name: string): Promise<ReplicationRule> {
    const rule = (await this.replicationRules()).find((each) => each.name === name);
    if (rule) return rule;
    throw new DragonflyError('NOT_FOUND', `there is no replication rule ${name}`, {
      hint: 'Run "dfctl replication ls" for the names.',
    });
  }

  replicatedTags(id: number): Promise<ReplicatedTag[]> {
    return this.#get(`replication-rules/${id}/tags`, { per_page: everyRow });
  }

  addReplicationRule(rule: object): Promise<ReplicationRule> {
    return this.#send('POST', 'replication-rules', rule);
  }

  changeReplicationRule(id: number, changes: object): Promise<ReplicationRule> {
    return this.#send('PATCH', `replication-rules/${id}`, changes);
  }

  runReplicationRule(id: number, wish: object): Promise<ReplicationRule> {
    return this.#send('POST', `replication-rules/${id}/run`, wish);
  }

  renewReplicationSecret(id: number): Promise<{ secret: string }> {
    return this.#send('POST', `replication-rules/${id}/secret`);
  }

  async deleteReplicationRule(id: number): Promise<void> {
    await this.#request('DELETE', `replication-rules/${id}`);
  }

  /** The URL of a path at the manager, as it is shown to users. */
  addressOf(path: string): string {
    return new URL(path, this.#base).href;
  }

  async #get<T>(path: string, query: Query = {}): Promise<T> {
    const response = await this.#request('GET', path, { query });
    return (await response.json()) as T;
  }

  async #send<T>(method: 'POST' | 'PATCH', path: string, body?: object): Promise<T> {
    const response = await this.#request(method, path, { body });
    return (await response.json()) as T;
  }

  async #request(
    method: string,
    path: string,
    { query = {}, body }: { readonly query?: Query; readonly body?: object | undefined } = {},
  ): Promise<Response> {
    const url = new URL(`oapi/v1/${path}`, this.#base);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // The token must reach this manager only.
        redirect: 'error',
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(timeoutMs)]),
      });
    } catch (error) {
      throw new DragonflyError('UNAVAILABLE', `the manager at ${this.#base.host} does not answer`, {
        hint: 'Check --manager or DFCTL_MANAGER: it is the address of the console, usually port 8080.',
        cause: error,
      });
    }
    if (response.ok) return response;
    const { message, errors } = (await response.json().catch(() => ({}))) as { message?: unknown; errors?: unknown };
    const told = errors ?? message;
    throw new DragonflyError(
      codes[response.status] ?? 'UNAVAILABLE',
      typeof told === 'string' && told !== '' ? told : `the manager answers ${response.status}`,
      { hint: hints[response.status] ?? 'See the log of the manager.' },
    );
  }
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  422: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
};

const hints: Readonly<Record<number, string>> = {
  400: 'Run the command with --help.',
  401: 'The token in DFCTL_TOKEN is none of this manager.',
  403: 'The token needs the scope cluster, must not have expired, and its owner a role that may do this.',
  404: 'Run "dfctl node ls" for the names.',
  422: 'Run the command with --help.',
  429: 'Wait a moment.',
};
