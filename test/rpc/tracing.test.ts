/** One download through real processes, and the spans that a collector of our own gets of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { DfdaemonDownloadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly { name: string; traceId: string }[] }[];
  }[];
}

/** Takes spans as OpenTelemetry exporters send them over HTTP, in JSON. */
async function startCollector() {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as ExportRequest;
      for (const { resource, scopeSpans } of resourceSpans) {
        const name = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        for (const { spans: more } of scopeSpans)
          spans.push(...more.map((span) => ({ service: name, name: span.name, traceId: span.traceId })));
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { spans, endpoint, [Symbol.dispose]: () => server.close().closeAllConnections() };
}

test('a download is one trace over daemon and scheduler', { timeout: 120_000 }, async () => {
  await using directory = await temporaryDirectory('tracing-');
  await using origin = await HttpOrigin.start();
  using collector = await startCollector();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
  };
  const start = async (program: string, config: unknown): Promise<ManagedProcess> => {
    const path = directory.join(`${program}.yaml`);
    await writeFile(path, stringify(config));
    return ManagedProcess.start({ name: program, program, args: ['--config', path], env });
  };
  const anyPort = { tcpListen: { listen: '127.0.0.1', port: 0 } };
  const socket = directory.join('d.sock');
  {
    await using scheduler = await start('scheduler', {
      server: { port: 0, listenIP: '127.0.0.1', advertiseIP: '127.0.0.1', cacheDir: directory.join('scheduler') },
    });
    await using _daemon = await start('dfdaemon', {
      workHome: directory.path,
      cacheDir: directory.join('cache'),
      dataDir: directory.join('data'),
      host: { hostname: 'traced', advertiseIP: '127.0.0.1' },
      health: anyPort,
      scheduler: { netAddrs: [{ addr: scheduler.address('grpc') }] },
      download: { downloadGRPC: { unixListen: { socket } }, peerGRPC: anyPort },
      upload: anyPort,
      proxy: anyPort,
    });
    await using channels = new Channels();
    const client = createClient(DfdaemonDownloadDefinition, channels, `unix:${socket}`);
    const url = origin.add('/traced', { content: Buffer.alloc(100_000, 1) });
    for await (const _ of client.downloadTask({ download: Download.fromPartial({ url }) }));
  } // what is left is sent when the services end
  const find = (service: string, name: string): Span => {
    const span = collector.spans.find((one) => one.service === `dragonfly-${service}` && one.name === name);
    assert.ok(span, `${service}: ${name} is not among ${JSON.stringify(collector.spans)}`);
    return span;
  };
  const download = find('dfdaemon', 'download');
  assert.equal(find('dfdaemon', 'dfdaemon.v2.DfdaemonDownload/DownloadTask').traceId, download.traceId);
  assert.equal(find('scheduler', 'scheduler.v2.Scheduler/AnnouncePeer').traceId, download.traceId);
});
