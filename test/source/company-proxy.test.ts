// needs: curl, tinyproxy
/** Origins that are reached by way of a company's proxy, in the clear and by CONNECT: from every place that goes to origins. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer as createHttp, type RequestListener, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { silentLogger } from '../../src/core/process/logger.ts';
import { OutboundProxies, type OutboundProxySettings } from '../../src/core/net/outbound-proxy.ts';
import { outwardAddress } from '../../src/core/net/outward-address.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { Egress } from '../../src/rpc/registry/egress.ts';
import { RegistryClient } from '../../src/rpc/registry/registry-client.ts';
import { freePort } from '../support/free-port.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { issueCertificates } from './certificates.ts';
import { bytesOf } from './conformance.ts';

const run = promisify(execFile);
const content = randomBytes(9_000_000);
const address = await outwardAddress({ enableIPv6: false });
const signal = AbortSignal.timeout(120_000);

describe('behind a company’s proxy', { skip: address === '127.0.0.1' && 'needs an address besides loopback' }, () => {
  const owned = new AsyncDisposableStack();
  /** What the origins saw: `tinyproxy` adds itself to `Via` in the clear. */
  const seen: { readonly url: string; readonly via: string; readonly authorization: string }[] = [];
  let urls: { readonly http: string; readonly https: string };
  let ca = '';
  let settings: OutboundProxySettings;
  let logPath = '';

  before(async () => {
    const directory = owned.use(await temporaryDirectory());
    const certificates = await issueCertificates([{ type: 'ip', value: address }]);
    ca = certificates.ca;
    const answer: RequestListener = ({ url = '', headers }, response) => {
      const { via = '', 'proxy-authorization': authorization = '' } = headers;
      seen.push({ url, via: String(via), authorization });
      const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
      response.setHeader('etag', '"v1"').setHeader('accept-ranges', 'bytes');
      if (first === undefined) return void response.end(content);
      const bytes = content.subarray(Number(first), last ? Number(last) + 1 : undefined);
      response.setHeader('content-range', `bytes ${first}-${Number(first) + bytes.length - 1}/${content.length}`);
      response.writeHead(206).end(bytes);
    };
    const listen = async (server: Server): Promise<number> => {
      await new Promise<void>((resolve) => server.listen(0, resolve));
      owned.defer(() => (server.closeAllConnections(), void server.close()));
      return (server.address() as AddressInfo).port;
    };
    urls = {
      http: `http://${address}:${await listen(createHttp(answer))}`,
      https: `https://${address}:${await listen(createHttps(certificates, answer))}`,
    };
    const port = await freePort();
    logPath = directory.join('log');
    const configuration = directory.join('tinyproxy.conf');
    const lines = [
      `Port ${port}`,
      'Listen 127.0.0.1',
      'BasicAuth user secret',
      `LogFile "${logPath}"`,
      'LogLevel Connect',
    ];
    writeFileSync(configuration, `${lines.join('\n')}\n`);
    const proxy = execFile('tinyproxy', ['-d', '-c', configuration]);
    owned.defer(() => void proxy.kill());
    await waitFor('the proxy to listen', () => canConnect(port));
    const url = `http://user:secret@127.0.0.1:${port}`;
    settings = { http: url, https: url, noProxy: undefined };
  });
  after(() => owned.disposeAsync());

  const outbound = (): OutboundProxies => new OutboundProxies(settings);
  const assertProxied = (): void => {
    const { via = '', url = '' } = seen.findLast((request) => request.via !== '') ?? {};
    assert.match(via, /tinyproxy/, `${url} came directly`);
    assert.ok(
      seen.every(({ authorization }) => authorization === ''),
      'the proxy’s password went to an origin',
    );
  };

  test('a source reads whole objects and ranges, in the clear and over TLS, one connection after the other', async () => {
    const options = { logger: silentLogger, trust: { caPem: [ca] }, egress: { outbound: outbound() } };
    await using sources = new Sources(options);
    for (const base of [urls.http, urls.https]) {
      for (let round = 0; round < 3; round += 1) {
        const body = await sources.open({ url: `${base}/object`, header: {}, signal });
        assert.ok((await bytesOf(body)).equals(content), base);
      }
      const range = { start: 1_000_000, length: 2_000_000 };
      const part = await sources.open({ url: `${base}/object`, header: {}, signal, range });
      assert.ok((await bytesOf(part)).equals(content.subarray(1_000_000, 3_000_000)), base);
    }
    assertProxied();
  });

  test('a proxy that wants another password, or allows nothing, is named', async () => {
    const wrong = new OutboundProxies({ ...settings, https: settings.https?.replace('secret', 'wrong') });
    await using sources = new Sources({ logger: silentLogger, egress: { outbound: wrong } });
    await assert.rejects(sources.open({ url: `${urls.https}/object`, header: {}, signal }), {
      code: 'SOURCE_UNREACHABLE',
      message: /the proxy 127\.0\.0\.1 does not connect to .*: 40[17]/,
    });
  });

  test('the egress policy judges the target, not the proxy', async () => {
    const egress = { outbound: outbound(), deny: [`${address}/32`] };
    await using sources = new Sources({ logger: silentLogger, egress });
    for (const url of [`${urls.http}/object`, `${urls.https}/object`, 'http://169.254.169.254/latest']) {
      await assert.rejects(sources.open({ url, header: {}, signal }), { code: 'PERMISSION_DENIED' }, url);
    }
  });

  test('what the proxy of the daemon forwards and tunnels goes out by it, too', async () => {
    await using swarm = await LocalSwarm.create();
    const authority = swarm.directory.join('ca.pem');
    writeFileSync(authority, ca);
    const rule = { regx: '/upgraded', useHTTPS: true, useTLS: false, direct: true };
    const daemon = await swarm.startDaemon('inside', {
      adjust: (config) => ({
        ...config,
        download: { ...config.download, outboundProxy: settings, sourceCA: [authority] },
        proxy: { ...config.proxy, connectPorts: ['1-65535'], proxies: [rule] },
      }),
    });
    const by = `http://${daemon.service.addresses['proxy']}`;
    const upgraded = `${urls.https.replace('https:', 'http:')}/upgraded`;
    for (const url of [`${urls.http}/forwarded`, `${urls.https}/tunnelled`, upgraded, upgraded]) {
      const out = swarm.directory.join('out');
      await run('curl', ['-sfk', '-x', by, '--noproxy', '', '-o', out, url]);
      assert.ok(readFileSync(out).equals(content), url);
    }
    assert.ok(seen.some(({ url, via }) => url === '/forwarded' && /tinyproxy/.test(via)));
    const { stdout: log } = await run('cat', [logPath]);
    assert.ok([...log.matchAll(/CONNECT \S+:\d+/g)].length >= 2, log);
  });

  test('its challenge is for the node, not for the node’s clients', async () => {
    await using swarm = await LocalSwarm.create();
    const asking = createHttp((_request, response) => {
      response.writeHead(407, { 'proxy-authenticate': 'Basic realm="company"' }).end();
    });
    await new Promise<void>((resolve) => asking.listen(0, '127.0.0.1', resolve));
    const http = `http://127.0.0.1:${(asking.address() as AddressInfo).port}`;
    try {
      const { service } = await swarm.startDaemon('behind', {
        adjust: (config) => ({ ...config, download: { ...config.download, outboundProxy: { http } } }),
      });
      const proxy = `http://${service.addresses['proxy']}`;
      const { stdout } = await run('curl', ['-si', '-x', proxy, '--noproxy', '', 'http://far.example/a']);
      assert.match(stdout, /^HTTP\/1\.1 502 [^]*asks this node for credentials/);
      assert.doesNotMatch(stdout, /proxy-authenticate/i);
    } finally {
      asking.closeAllConnections();
      asking.close();
    }
  });

  test('the control plane reads registries by it', async () => {
    const registry = new RegistryClient({
      egress: new Egress({ allow: [`${address}/32`], deny: [], ownPorts: () => new Set() }),
      timeoutMs: 30_000,
      ca,
      insecure: () => false,
      outbound: outbound(),
    });
    for (const base of [urls.http, urls.https]) {
      assert.equal((await registry.get(`${base}/v2/`, { range: 'bytes=0-9' }, signal)).status, 206);
    }
    await registry[Symbol.asyncDispose]();
    assert.match(seen.findLast(({ via }) => via !== '')?.via ?? '', /tinyproxy/);
  });
});

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (open: boolean) => (): void => (socket.destroy(), resolve(open));
    socket.once('connect', end(true)).once('error', end(false));
  });
}
