import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig } from '../../core/config/config.ts';
import { AccessGuard } from './access-guard.ts';
import { callerKey } from './proof/caller.ts';
import { downloadHeader, forwardedRequestHeader } from './wire/header.ts';
import { namedDigests } from './registry/manifests.ts';
import { mirrorTarget } from './registry/mirror-target.ts';
import { OriginAccess } from './proof/origin-access.ts';
import { proxyConfig, proxySettings } from './proxy-config.ts';
import { isRegistryControl, registryPath } from './registry/registry-path.ts';
import { readRequestOptions } from './request-options.ts';
import { ProxyRules, WhiteList } from './rules.ts';
import { Slots } from './slots.ts';
import { DragonflyError } from '../../core/errors.ts';

function configured(yaml: string) {
  return parseConfig(proxyConfig, yaml, 'dfget.yaml').config;
}

describe('configuration', () => {
  test('reads the published set-up of the first generation', () => {
    const config = configured(`
defaultFilter: Expires&Signature&ns
tcpListen: { port: 65001 }
security: { insecure: true, tlsVerify: false }
registryMirror: { dynamic: true, insecure: false, url: https://index.docker.io }
proxies:
  - regx: blobs/sha256.*
  - regx: s3.*amazonaws.com.*
  - regx: some-registry/
    redirect: another-registry
  - regx: no-peers-here/
    direct: true
`);
    const settings = proxySettings(config);
    assert.deepEqual(settings.listen, { host: '127.0.0.1', port: 65001, namespace: undefined });
    assert.equal(settings.rules.length, 4);
    assert.equal(settings.interception, undefined);
  });

  test('reads the keys of the second generation', () => {
    const settings = proxySettings(
      configured(`
server: { ip: 0.0.0.0, port: 4001, basicAuth: { username: u, password: p }, caCert: /a, caKey: /b }
rules: [{ regex: 'blobs/sha256.*', useTLS: true }]
registryMirror: { addr: https://registry.example, cert: /c, enableTaskIDBasedBlobDigest: false }
prefetch: true
disableBackToSource: true
`),
    );
    assert.deepEqual(settings.listen, { host: '0.0.0.0', port: 4001, namespace: undefined });
    assert.deepEqual(settings.basicAuth, { username: 'u', password: 'p' });
    assert.equal(settings.mirror.url, 'https://registry.example');
    assert.equal(settings.mirror.blobDigestAsId, false);
    assert.equal(settings.interception?.hosts.length, 1);
  });

  test('an empty certificate switches interception off, as the published templates rely on', () => {
    const yaml = "hijackHTTPS: { cert: '', key: '', hosts: [{ regx: '.*' }] }";
    assert.equal(proxySettings(configured(yaml)).interception, undefined);
  });

  test('a bad rule is refused with its place', () => {
    assert.throws(() => configured("proxies: [{ regx: '(' }]"), { code: 'CONFIG_INVALID' });
  });

  test('a rule without an expression matches nothing', () => {
    const rules = new ProxyRules(configured('proxies: [{ direct: true }]').proxies);
    assert.equal(rules.match(new URL('http://host/x')), undefined);
  });
});

describe('rules', () => {
  const rules = new ProxyRules([
    { regx: 'blobs/sha256.*', useHTTPS: false, useTLS: false, direct: false },
    { regx: '^http://plain/', useHTTPS: true, useTLS: false, direct: true },
    { regx: 'old-registry', redirect: 'new-registry:5000', useHTTPS: false, useTLS: false, direct: false },
    { regx: 'http://(.*)/mirror/', redirect: 'http://cdn/${1}/', useHTTPS: false, useTLS: false, direct: false },
    { regex: '(?i)MODEL', useHTTPS: false, useTLS: true, direct: false, filteredQueryParams: ['sig'] },
  ]);
  const cases: [url: string, expected: string | undefined, peers?: boolean][] = [
    ['http://r/v2/a/blobs/sha256:1', 'http://r/v2/a/blobs/sha256:1', true],
    ['http://plain/x', 'https://plain/x', false],
    ['http://old-registry:1234/x', 'http://new-registry:5000/x', true],
    ['http://h/mirror/x', 'http://cdn/h/x', true],
    ['http://h/model.bin?sig=1', 'https://h/model.bin?sig=1', true],
    ['http://h/other', undefined],
  ];
  for (const [url, expected, peers] of cases) {
    test(`${url} → ${expected ?? 'no rule'}`, () => {
      const verdict = rules.match(new URL(url));
      assert.equal(verdict?.url.href, expected);
      assert.equal(verdict?.peers, peers);
    });
  }

  test('the first matching entry of the white list decides by its ports', () => {
    const list = new WhiteList([
      { host: 'a', ports: ['80', '8000-8010'] },
      { regx: '\\.internal$', ports: [] },
    ]);
    assert.equal(list.allows('a', 80), true);
    assert.equal(list.allows('a', 8005), true);
    assert.equal(list.allows('a', 443), false);
    assert.equal(list.allows('b.internal', 22), true);
    assert.equal(list.allows('c', 80), false);
    assert.equal(new WhiteList([]).allows('c', 80), undefined);
  });
});

describe('mirror target', () => {
  const mirror = { url: 'https://index.docker.io', dynamic: true, registries: [] };
  const cases: [path: string, registry: string | undefined, expected: string][] = [
    ['/v2/', undefined, 'https://registry-1.docker.io/v2/'],
    ['/v2/a/manifests/b?ns=docker.io', undefined, 'https://registry-1.docker.io/v2/a/manifests/b'],
    ['/v2/a/blobs/c?ns=ghcr.io&x=1', undefined, 'https://ghcr.io/v2/a/blobs/c?x=1'],
    ['/v2/?ns=registry.test%3A5100', 'http://registry.test:5100', 'http://registry.test:5100/v2/'],
    ['/v2/?ns=localhost%3A5000', undefined, 'http://localhost:5000/v2/'],
    ['/v2/', 'https://docker.io', 'https://registry-1.docker.io/v2/'],
    ['/v2/', 'https://h/prefix/', 'https://h/prefix/v2/'],
    ['/v2/dragonfly.via/ghcr.io/a/b/blobs/c', undefined, 'https://ghcr.io/v2/a/b/blobs/c'],
    [
      '/v2/dragonfly.via.http/registry.test_5100/a/manifests/b',
      undefined,
      'http://registry.test:5100/v2/a/manifests/b',
    ],
    [
      '/v2/dragonfly.via/docker.io/library/a/manifests/b',
      undefined,
      'https://registry-1.docker.io/v2/library/a/manifests/b',
    ],
    ['//evil/v2/', 'https://h', 'https://h//evil/v2/'],
  ];
  for (const [path, registry, expected] of cases) {
    test(`${path} by ${registry ?? 'query or default'} → ${expected}`, () => {
      assert.equal(mirrorTarget(path, registry, mirror).url.href, expected);
    });
  }

  test('a fixed mirror listens to nobody', () => {
    const fixed = { url: 'https://only.example', dynamic: false, registries: [] };
    assert.equal(mirrorTarget('/v2/?ns=other', 'https://other', fixed).url.href, 'https://only.example/v2/');
  });

  test('clients name listed registries only, and those of other hosts none unless they may', () => {
    const listed = { ...mirror, registries: ['https://ghcr.io', 'registry.corp'] };
    assert.equal(mirrorTarget('/v2/?ns=registry.corp', undefined, listed).url.host, 'registry.corp');
    assert.equal(mirrorTarget('/v2/', 'https://docker.io', listed).url.host, 'registry-1.docker.io');
    const away = { ...mirror, dynamic: 'refused' as const };
    assert.equal(mirrorTarget('/v2/', undefined, away).url.host, 'registry-1.docker.io');
    for (const [registry, rights] of [
      ['https://evil.example', listed],
      ['http://ghcr.io', listed],
      ['https://ghcr.io', away],
    ] as const)
      assert.throws(() => mirrorTarget('/v2/', registry, rights), { code: 'PERMISSION_DENIED' }, registry);
  });

  test('what is no registry is refused', () => {
    for (const registry of ['ftp://h', 'https://', 'a b']) {
      assert.throws(() => mirrorTarget('/v2/', registry, mirror), { code: 'INVALID_ARGUMENT' }, registry);
    }
  });
});

describe('control headers', () => {
  test('all of them are read', () => {
    const options = readRequestOptions({
      'x-dragonfly-tag': 't',
      'x-dragonfly-application': 'a',
      'x-dragonfly-priority': '3',
      'x-dragonfly-filter': 'x&y',
      'x-dragonfly-use-p2p': 'true',
      'x-dragonfly-prefetch': 'false',
      'x-dragonfly-piece-length': '8MiB',
    });
    assert.deepEqual(
      [
        options.tag,
        options.application,
        options.priority,
        options.usePeers,
        options.prefetch,
        options.pieceLengthBytes,
      ],
      ['t', 'a', 3, true, false, 8 * 2 ** 20],
    );
    assert.deepEqual(options.filteredQueryParams, ['x', 'y']);
  });

  test('bad values are refused, paths on the node are not for HTTP callers (DF2-12)', () => {
    for (const header of [
      { 'x-dragonfly-priority': '7' },
      { 'x-dragonfly-piece-length': '1k' },
      { 'x-dragonfly-use-p2p': 'yes' },
    ]) {
      assert.throws(() => readRequestOptions(header), { code: 'INVALID_ARGUMENT' });
    }
    assert.throws(() => readRequestOptions({ 'x-dragonfly-output-path': '/etc/passwd' }), {
      code: 'PERMISSION_DENIED',
    });
  });

  test('neither they nor what belongs to one connection is passed on', () => {
    const forwarded = forwardedRequestHeader({
      host: 'h',
      connection: 'close, x-private',
      'x-private': '1',
      'x-dragonfly-tag': 't',
      'proxy-authorization': 'Basic eDp5',
      authorization: 'Bearer t',
      ':path': '/',
      range: 'bytes=0-1',
    });
    assert.deepEqual(forwarded, { authorization: 'Bearer t', range: 'bytes=0-1' });
    assert.deepEqual(downloadHeader(forwarded), { authorization: 'Bearer t' });
  });
});

describe('who may use the proxy (DF2-8, P-1)', () => {
  const basicAuth = { username: 'user', password: 'secret' };
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  test('P-1: only this host and the networks listed', () => {
    const guard = new AccessGuard({ allowedNetworks: ['10.1.0.0/16', 'fd00::/8'], basicAuth: undefined });
    const cases: [string, boolean][] = [
      ['127.0.0.1', true],
      ['::1', true],
      ['::ffff:10.1.2.3', true],
      ['192.0.2.1', true],
      ['10.2.0.1', false],
      ['fd00::1', true],
      ['2001:db8::1', false],
    ];
    for (const [address, admitted] of cases) assert.equal(guard.admits(address, '192.0.2.1'), admitted, address);
  });

  test('DF2-8: credentials are read strictly', () => {
    const guard = new AccessGuard({ allowedNetworks: [], basicAuth });
    assert.equal(guard.admits('203.0.113.9', '192.0.2.1'), true);
    assert.equal(guard.signIn(basic('user:secret'), 'a'), 'ok');
    assert.equal(guard.signIn(undefined, 'a'), 'missing');
    for (const wrong of [
      basic('user:secret').replace(' ', ''),
      'Basic',
      basic('user:'),
      basic('user:secret2'),
      'Bearer x',
      '',
    ]) {
      assert.equal(guard.signIn(wrong, 'a'), 'wrong', wrong);
    }
  });

  test('DF2-8: an address that keeps guessing is refused without a look', () => {
    const guard = new AccessGuard({ allowedNetworks: [], basicAuth });
    for (let attempt = 0; attempt < 20; attempt += 1) guard.signIn(basic(`user:${attempt}`), 'b');
    assert.equal(guard.signIn(basic('user:secret'), 'b'), 'blocked');
    assert.equal(guard.signIn(basic('user:secret'), 'c'), 'ok');
  });
});

describe('who may read what (P-2)', () => {
  const refused = { statusCode: 401, header: { 'www-authenticate': 'Bearer x' } };
  const down = new DragonflyError('SOURCE_UNREACHABLE', 'down');
  const question = { scope: 'r/a', object: 'sha256:1', caller: 'alice' };

  test('P-2: a delivered manifest grants what it names, to its caller, in its repository', () => {
    const access = new OriginAccess({ ttlMs: 60_000, whenOriginDown: 'deny' });
    access.grant('r/a', 'alice', ['sha256:1']);
    assert.equal(access.isGranted(question), true);
    for (const other of [{ caller: 'bob' }, { scope: 'r/b' }, { object: 'sha256:2' }])
      assert.equal(access.isGranted({ ...question, ...other }), false);
  });

  test('P-2: what anybody may read, everybody may', () => {
    const access = new OriginAccess({ ttlMs: 60_000, whenOriginDown: 'deny' });
    access.prove({ ...question, caller: '' });
    assert.equal(access.isGranted(question), true);
  });

  test('what is forgotten of one object makes no proof of others last longer', async () => {
    const access = new OriginAccess({ ttlMs: 200, whenOriginDown: 'deny' });
    access.grant('r/a', 'alice', ['sha256:1', 'sha256:2', 'sha256:3']);
    await delay(120);
    access.forget('r/a', 'sha256:2');
    assert.equal(access.isGranted({ ...question, object: 'sha256:2' }), false);
    await delay(120);
    assert.equal(access.isGranted(question), false);
  });

  test('while the origin is down strangers get its own earlier refusal', () => {
    const access = new OriginAccess({ ttlMs: 60_000, whenOriginDown: 'deny' });
    access.remember('s', refused);
    assert.throws(
      () => access.whileDown('s', down),
      (error: DragonflyError) => error.details?.statusCode === 401,
    );
    assert.throws(() => access.whileDown('t', down), { code: 'UNAVAILABLE' });
    new OriginAccess({ ttlMs: 60_000, whenOriginDown: 'allow' }).whileDown('t', down);
  });

  test('everything that may be a credential tells callers apart', () => {
    assert.equal(callerKey({ accept: '*/*', 'user-agent': 'x', range: 'bytes=0-' }), '');
    const keys = [{ authorization: 'a' }, { authorization: 'b' }, { cookie: 'a' }, { 'x-jfrog-art-api': 'a' }].map(
      callerKey,
    );
    assert.equal(new Set(keys).size, keys.length);
  });
});

test('paths of registries', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.deepEqual(registryPath('/v2/a/b/manifests/latest'), {
    kind: 'manifest',
    repository: 'a/b',
    reference: 'latest',
  });
  assert.deepEqual(registryPath(`/prefix/v2/a/blobs/${digest}`), { kind: 'blob', repository: 'a', reference: digest });
  for (const other of ['/v2/', '/v2/a/tags/list', '/v2/a/blobs/uploads', '/v2/_catalog'])
    assert.equal(registryPath(other), undefined, other);
});

test('what controls a registry never comes from the peers', () => {
  const blob = `https://r/v2/a/blobs/sha256:${'a'.repeat(64)}`;
  const cases: [string, boolean][] = [
    ['https://r/v2/', true],
    ['https://r/v2/a/tags/list', true],
    ['https://auth/token?service=r&scope=repository:a:pull', true],
    [blob, false],
    ['https://files/v2.bin', false],
    ['https://files/v2.bin/v2/_catalog', true],
    ['https://r/prefix/v2', true],
    ['https://r/v2/tags/list', false],
    ['https://r/v2/a/b/blobs/uploads', true],
    ['https://r/v2/a/blobs/uploads/', true],
    ['https://r/v2/a/blobs/uploads/1', true],
    ['https://r/v2/a/blobs/uploads/1/x', false],
    ['https://r/v2/a/referrers/sha256:a', true],
    ['https://r/v2/a/referrers/', false],
  ];
  for (const [url, control] of cases) assert.equal(isRegistryControl(new URL(url)), control, url);
});

test('digests named by manifests of every format', () => {
  const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
  const manifest = {
    config: { digest: digest('a') },
    layers: [{ digest: digest('b') }, { digest: 'nonsense' }],
    manifests: [{ digest: digest('c') }],
    fsLayers: [{ blobSum: digest('d') }],
  };
  assert.deepEqual(namedDigests(Buffer.from(JSON.stringify(manifest))).sort(), ['a', 'b', 'c', 'd'].map(digest));
  for (const text of ['', 'null', '[]', '{"layers":3}']) assert.deepEqual(namedDigests(Buffer.from(text)), []);
});

test('slots: the one that ends hands over to the one that waits longest', async () => {
  const slots = new Slots(1);
  const { signal } = new AbortController();
  assert.equal(await slots.take(1, signal), true);
  const order: string[] = [];
  const waiting = ['a', 'b'].map((name) => slots.take(60_000, signal).then(() => order.push(name)));
  assert.equal(await slots.take(1, signal), false);
  slots.release();
  slots.release();
  await Promise.all(waiting);
  assert.deepEqual(order, ['a', 'b']);
});

test('slots: who waits without a time limit gets the slot as soon as it is free, or leaves with the signal', async () => {
  const slots = new Slots(1, Infinity);
  const leaving = new AbortController();
  const staying = new AbortController().signal;
  assert.equal(await slots.take(Infinity, staying), true);
  const left = slots.take(Infinity, leaving.signal);
  const next = slots.take(Infinity, staying);
  leaving.abort();
  assert.equal(await left, false);
  slots.release();
  assert.equal(await next, true);
});
