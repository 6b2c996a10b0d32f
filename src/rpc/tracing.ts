/**
 * Spans, and their trace carried over gRPC. Until `useTracing` (src/tracing.ts) has set where spans go, all of this
 * does nothing, and the library is not loaded.
 */
import type { Metadata } from '@grpc/grpc-js';

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface OpenSpan {
  /** Runs the callback, and everything asynchronous it starts, in the context of this span. */
  run<T>(work: () => T): T;
  /** @param error why it failed. */
  end(attributes: SpanAttributes, error?: unknown): void;
}

export interface Tracing {
  inject(metadata: Metadata): void;
  /** Handles a call as a span inside the caller's trace. */
  handle<T>(name: string, metadata: Metadata, work: () => Promise<T>): Promise<T>;
  start(name: string, attributes: SpanAttributes): OpenSpan;
}

let tracing: Tracing | undefined;

/** For the rest of the process; call before anything else runs. */
export function useTracing(chosen: Tracing): void {
  tracing = chosen;
}

export function injectTrace(metadata: Metadata): void {
  tracing?.inject(metadata);
}

/** @param name `package.Service/Method`. */
export function withTrace<T>(name: string, metadata: Metadata, work: () => Promise<T>): Promise<T> {
  return tracing ? tracing.handle(name, metadata, work) : work();
}

/** A longer operation of this process with several parts. */
export class Trace implements OpenSpan {
  readonly #span: OpenSpan | undefined;

  constructor(name: string, attributes: SpanAttributes) {
    this.#span = tracing?.start(name, attributes);
  }

  run<T>(work: () => T): T {
    return this.#span ? this.#span.run(work) : work();
  }

  end(attributes: SpanAttributes, error?: unknown): void {
    this.#span?.end(attributes, error);
  }
}
