/**
 * Sends the spans of this process to a collector. Loaded before everything else (`node --import`), by the launchers
 * when OTEL_EXPORTER_OTLP_ENDPOINT is set; the other OTEL_* variables of the OpenTelemetry specification hold as well.
 */
import { NodeSDK } from '@opentelemetry/sdk-node';
import { withDeadline } from './core/process/lifecycle.ts';
import { spans } from './rpc/spans.ts';
import { useTracing } from './rpc/tracing.ts';

const shutdownMs = 3_000;

const [, , calledAs = 'dragonfly', first] = process.argv;
const program = calledAs === 'dragonfly' ? (first ?? calledAs) : calledAs;

const sdk = new NodeSDK({ serviceName: process.env['OTEL_SERVICE_NAME'] ?? `dragonfly-${program}` });
sdk.start();
useTracing(spans);

/** Sends what is still waiting; a collector that is away does not hold up the end of the program for long. */
export async function endTracing(): Promise<void> {
  await withDeadline(
    sdk.shutdown().catch(() => undefined),
    shutdownMs,
  );
}
