/** Tracing by OpenTelemetry: spans of the running SDK, and the caller's trace as W3C `traceparent`. */
import type { Metadata } from '@grpc/grpc-js';
import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { toDragonflyError } from '../core/errors.ts';
import type { OpenSpan, SpanAttributes, Tracing } from './tracing.ts';

const tracer = trace.getTracer('dragonfly');

export const spans: Tracing = { inject, handle, start };

function inject(metadata: Metadata): void {
  propagation.inject(context.active(), metadata, { set: (carrier, key, value) => carrier.set(key, value) });
}

function handle<T>(name: string, metadata: Metadata, work: () => Promise<T>): Promise<T> {
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

function start(name: string, attributes: SpanAttributes): OpenSpan {
  const span = tracer.startSpan(name, { attributes });
  const within = trace.setSpan(context.active(), span);
  return {
    run: (work) => context.with(within, work),
    end: (more, error) => {
      span.setAttributes(more);
      if (error !== undefined) fail(span, error);
      span.end();
    },
  };
}

function fail(span: Span, error: unknown): void {
  const { code, message } = toDragonflyError(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: `${code}: ${message}` });
}
