import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutboundProxies, withProxyEnvironment } from './outbound-proxy.ts';

const unset = { http: undefined, https: undefined, noProxy: undefined };

test('which proxy a URL leaves by: by its scheme, never for loopback, never for what is listed', () => {
  const env = {
    http_proxy: 'http://corp:3128',
    HTTPS_PROXY: 'https://us%40er:p%3Ass@secure.corp',
    no_proxy: 'near.example, .sub.example 10.0.0.0/8,192.0.2.7,other.example:8080,fd00::/8,dotted.example.',
  };
  const proxies = new OutboundProxies(withProxyEnvironment(unset, env));
  for (const [url, host] of [
    ['http://far.example/a', 'corp'],
    ['https://far.example/a', 'secure.corp'],
    ['http://localhost:80/', undefined],
    ['http://127.0.0.9/', undefined],
    ['http://[::1]:90/', undefined],
    ['http://near.example/', undefined],
    ['http://deep.NEAR.example./', undefined],
    ['http://notnear.example/', 'corp'],
    ['http://x.sub.example/', undefined],
    ['http://10.1.2.3:80/', undefined],
    ['http://11.1.2.3/', 'corp'],
    ['http://192.0.2.7/', undefined],
    ['http://[fd00::7]/', undefined],
    ['http://dotted.example/', undefined],
    ['http://other.example/', 'corp'],
    ['http://other.example:8080/', undefined],
  ] as const) {
    assert.equal(proxies.for(new URL(url))?.host, host, url);
  }
  assert.deepEqual(proxies.for(new URL('https://far.example/')), {
    host: 'secure.corp',
    port: 443,
    secure: true,
    authorization: `Basic ${Buffer.from('us@er:p:ss').toString('base64')}`,
  });
});

test('the file comes before the environment, and what is no proxy is refused', () => {
  const env = { HTTP_PROXY: 'http://env:1', HTTPS_PROXY: '', NO_PROXY: '*' };
  assert.deepEqual(withProxyEnvironment({ http: 'file:2', https: undefined, noProxy: [] }, env), {
    http: 'file:2',
    https: undefined,
    noProxy: [],
  });
  const url = new URL('http://far.example/');
  assert.equal(new OutboundProxies({ ...unset, http: 'file:2' }).for(url)?.port, 2);
  assert.equal(new OutboundProxies(withProxyEnvironment(unset, env)).for(url), undefined);
  for (const http of ['socks5://host:1', '', 'http://']) {
    assert.throws(() => new OutboundProxies({ ...unset, http }), { code: 'CONFIG_INVALID' });
  }
});
