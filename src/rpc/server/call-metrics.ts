/** Metrics of gRPC calls under go-grpc-prometheus's names, which the original's dashboards use. */
import { status } from '@grpc/grpc-js';
import { Counter, type Registry } from '../../core/metrics.ts';
import type { MethodDefinition } from '../definition.ts';

const labels = ['grpc_type', 'grpc_service', 'grpc_method'] as const;

export class CallMetrics {
  readonly #started: Counter<(typeof labels)[number]>;
  readonly #handled: Counter<(typeof labels)[number] | 'grpc_code'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#started = new Counter({
      name: 'grpc_server_started_total',
      help: 'Calls begun.',
      labelNames: labels,
      registers,
    });
    this.#handled = new Counter({
      name: 'grpc_server_handled_total',
      help: 'Calls ended, by their status.',
      labelNames: [...labels, 'grpc_code'],
      registers,
    });
  }

  /** @returns a function that counts the end, with its status number. */
  begin(service: string, method: MethodDefinition): (code: number) => void {
    const call = { grpc_type: typeOf(method), grpc_service: service, grpc_method: method.name };
    this.#started.inc(call);
    return (code) => this.#handled.inc({ ...call, grpc_code: codeName(code) });
  }
}

function typeOf({ requestStream, responseStream }: MethodDefinition): string {
  if (requestStream && responseStream) return 'bidi_stream';
  if (requestStream) return 'client_stream';
  return responseStream ? 'server_stream' : 'unary';
}

/** NOT_FOUND becomes `NotFound`, as in Go; OK stays. */
function codeName(code: number): string {
  const name = status[code] ?? 'UNKNOWN';
  if (name === 'OK') return name;
  return name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
