/** The REST interface of a manager of either kind, as clients of the original use it. */
import { waitFor } from '../../test/support/wait-for.ts';

export interface Job {
  readonly id: number;
  readonly state: string;
  readonly result: { readonly job_states?: readonly JobState[] | null } | null;
}

interface JobState {
  readonly state: string;
  readonly error: string;
  readonly results: readonly Record<string, readonly object[] | null>[] | null;
}

/** The original looks after a job 30 s after its beginning, and then at growing distances. */
const jobDeadlineMs = 200_000;

export class Jobs {
  readonly #address: string;
  readonly #token: string;

  constructor(address: string, token: string) {
    this.#address = address;
    this.#token = token;
  }

  async isServing(): Promise<boolean> {
    try {
      return (await fetch(`${this.#address}/healthy`)).ok;
    } catch {
      return false;
    }
  }

  async schedulersActive(count: number): Promise<void> {
    await waitFor(`${count} active schedulers at the manager`, async () => {
      const clusters = await this.#call<readonly { id: number }[]>('GET', '/oapi/v1/clusters');
      const schedulers = await this.#call<readonly { state: string }[]>('GET', '/oapi/v1/schedulers').catch(
        () => undefined,
      );
      if (schedulers === undefined) return clusters.length > 0;
      return schedulers.filter(({ state }) => state === 'active').length >= count;
    });
  }

  /** Begins a job and waits for its end. */
  async run(type: string, args: object): Promise<Job> {
    const { id } = await this.#call<Job>('POST', '/oapi/v1/jobs', { type, args, scheduler_cluster_ids: [1] });
    return waitFor(
      `the end of ${type}`,
      async () => {
        const job = await this.#call<Job>('GET', `/oapi/v1/jobs/${id}`);
        return job.state === 'PENDING' ? undefined : job;
      },
      jobDeadlineMs,
    );
  }

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#address}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }
}

/** What the schedulers told together under this name. */
export function told(job: Job, name: string): readonly object[] {
  const states = job.result?.job_states ?? [];
  return states.flatMap(({ results }) => (results ?? []).flatMap((result) => result[name] ?? []));
}

export function errorsOf(job: Job): string {
  return (job.result?.job_states ?? []).map(({ error }) => error).join('; ');
}
