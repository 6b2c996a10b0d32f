/** Carries the trace of a call over gRPC as W3C `traceparent`. Without a tracing SDK loaded this does nothing. */
import type { Metadata } from '@grpc/grpc-js';
import { context, propagation } from '@opentelemetry/api';

export function injectTrace(metadata: Metadata): void {
  propagation.inject(context.active(), metadata, { set: (carrier, key, value) => carrier.set(key, value) });
}

/** Runs the work inside the caller's trace. */
export function withTrace<T>(metadata: Metadata, work: () => T): T {
  const caller = propagation.extract(context.active(), metadata, {
    keys: (carrier) => Object.keys(carrier.getMap()),
    get: (carrier, key) => carrier.get(key).map(String),
  });
  return context.with(caller, work);
}
