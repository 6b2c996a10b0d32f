import { DragonflyError, toDragonflyError, type ErrorCode } from '../../core/errors.ts';
import { onAbort } from '../../core/process/lifecycle.ts';
import type { CallContext } from '../call-context.ts';
import type { Channels } from '../channels.ts';
import { createClient } from '../client.ts';
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthDefinition,
  type HealthCheckRequest,
  type HealthCheckResponse,
} from '../../../gen/grpc/health/v1/health.ts';

/** A live server answers at once. */
const healthTimeoutMs = 3_000;

const noAnswer: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED']);

/** grpc.health.v1 of one server. The empty name means the server as a whole. */
export class HealthService {
  readonly definition = HealthDefinition;
  readonly #status = new Map<string, ServingStatus>([['', ServingStatus.SERVING]]);
  readonly #watchers = new Set<() => void>();
  readonly #draining: AbortSignal;

  constructor(draining: AbortSignal) {
    this.#draining = draining;
  }

  readonly handlers = {
    check: (request: HealthCheckRequest): Promise<HealthCheckResponse> => {
      const status = this.#status.get(request.service);
      if (status !== undefined) return Promise.resolve({ status });
      return Promise.reject(
        new DragonflyError('NOT_FOUND', `this server does not offer the service ${request.service}`),
      );
    },
    watch: (request: HealthCheckRequest, context: CallContext): AsyncIterable<HealthCheckResponse> =>
      this.#watch(request.service, context.signal),
  };

  setServing(service: string): void {
    this.#set(service, ServingStatus.SERVING);
  }

  /** Sets the state of the server as a whole, which readiness probes query. Its services report their own. */
  setReady(ready: boolean): void {
    if (this.#draining.aborted) return;
    const status = ready ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    if (this.#status.get('') !== status) this.#set('', status);
  }

  setAllNotServing(): void {
    for (const service of this.#status.keys()) this.#set(service, ServingStatus.NOT_SERVING);
  }

  #set(service: string, status: ServingStatus): void {
    this.#status.set(service, status);
    for (const wake of this.#watchers) wake();
  }

  /** Ends when the server drains, after reporting that, because an open stream would delay the drain. */
  async *#watch(service: string, signal: AbortSignal): AsyncGenerator<HealthCheckResponse, void, undefined> {
    let wake = (): void => undefined;
    const watcher = (): void => wake();
    this.#watchers.add(watcher);
    using _listening = onAbort(signal, watcher);
    let last: ServingStatus | undefined;
    try {
      while (!signal.aborted) {
        const status = this.#status.get(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (status !== last) yield { status: (last = status) };
        else if (this.#draining.aborted) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

/** Resolves with any answer of the server; rejects when it cannot be reached, or the signal aborts. */
export async function answers(channels: Channels, address: string, signal: AbortSignal): Promise<void> {
  try {
    const health = createClient(HealthDefinition, channels, address);
    const askedMs = performance.now();
    await health.check({ service: '' }, { signal, timeoutMs: healthTimeoutMs });
    channels.pace.answered(address, performance.now() - askedMs);
  } catch (error) {
    const failure = toDragonflyError(error);
    if (noAnswer.has(failure.code)) throw failure;
  }
}

/** Whether a server answers that it is serving. Never rejects. */
export async function isServing(channels: Channels, address: string, signal: AbortSignal): Promise<boolean> {
  try {
    await channels.ready(address, { signal });
    const health = createClient(HealthDefinition, channels, address);
    const { status } = await health.check({ service: '' }, { signal, timeoutMs: healthTimeoutMs });
    return status === ServingStatus.SERVING;
  } catch {
    return false;
  }
}
