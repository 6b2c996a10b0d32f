/**
 * Spans, and their trace carried over gRPC as W3C `traceparent`. Without an SDK loaded (src/tracing.ts) all of this does
 * nothing and costs nothing worth measuring.
 */
import type { Metadata } from '@grpc/grpc-js';
import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { toDragonflyError } from '../core/errors.ts';

const tracer = trace.getTracer('dragonfly');

export function injectTrace(metadata: Metadata): void {
  propagation.inject(context.active(), metadata, { set: (carrier, key, value) => carrier.set(key, value) });
}

/** Handles a call as a span inside the caller's trace. @param name `package.Service/Method`. */
export function withTrace<T>(name: string, metadata: Metadata, work: () => Promise<T>): Promise<T> {
  const caller = propagation.extract(context.active(), metadata, {
    keys: (carrier) => Object.keys(carrier.getMap()),
    get: (carrier, key) => carrier.get(key).map(String),
  });
  const span = tracer.startSpan(name, { kind: SpanKind.SERVER }, caller);
  return context.with(trace.setSpan(caller, span), async () => {
    try {
      return await work();
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** A piece of work of this process that takes a while and has parts. */
export class Trace {
  readonly #span: Span;
  readonly #context: Context;

  constructor(name: string, attributes: Attributes) {
    this.#span = tracer.startSpan(name, { attributes });
    this.#context = trace.setSpan(context.active(), this.#span);
  }

  /** What is called here, and what follows from it, belongs to this work. */
  run<T>(work: () => T): T {
    return context.with(this.#context, work);
  }

  /** @param error why it did not succeed. */
  end(attributes: Attributes, error?: unknown): void {
    this.#span.setAttributes(attributes);
    if (error !== undefined) fail(this.#span, error);
    this.#span.end();
  }
}

function fail(span: Span, error: unknown): void {
  const { code, message } = toDragonflyError(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: `${code}: ${message}` });
}
