import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadDfdaemonConfig, originConnections } from './config.ts';
import { configuredSettings } from './cluster/local-dynconfig.ts';

/** The file of the original's compose set-up 2.3, with keys that later charts add. */
const client = `
console: true
log: { level: info }
host: { idc: '', location: '', ip: 10.1.2.3 }
server: { pluginDir: /plugins, cacheDir: /cache }
download:
  protocol: tcp
  server: { socketPath: /run/d.sock, requestRateLimit: 400 }
  rateLimit: 10GiB
  pieceTimeout: 40s
  concurrentPieceCount: 10
upload: { server: { port: 4000 }, disableShared: false, rateLimit: 10GiB }
manager: { addr: 'http://manager:65003' }
scheduler: { announceInterval: 10s, scheduleTimeout: 3h, maxScheduleCount: 5, enableBackToSource: true }
seedPeer: { enable: true, type: super, clusterID: 1, keepaliveInterval: 15s }
dynconfig: { refreshInterval: 1m }
storage: { server: { tcpPort: 4105, quicPort: 4106 }, dir: /data, keep: true, writeBufferSize: 131072 }
gc: { interval: 900s, policy: { taskTTL: 6h, distHighThresholdPercent: 80, distLowThresholdPercent: 60 } }
proxy:
  server: { port: 4001 }
  rules: [{ regex: 'blobs/sha256.*' }]
  registryMirror: { addr: 'https://index.docker.io' }
  prefetch: false
  prefetchRateLimit: 2GiB
  readBufferSize: 32768
metrics: { server: { port: 4002 } }
`;

async function load(text: string, assignments: readonly string[] = []) {
  const directory = await mkdtemp(join(tmpdir(), 'client-yaml-'));
  try {
    const path = join(directory, 'dfdaemon.yaml');
    await writeFile(path, text);
    return await loadDfdaemonConfig(path, { assignments });
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('a file of the client in Rust is read with the meaning it has there', async () => {
  const { config, warnings } = await load(client);
  assert.deepEqual(config.scheduler.manager.netAddrs, [{ addr: 'manager:65003' }]);
  assert.equal(config.scheduler.manager.enable, true);
  assert.equal(config.scheduler.manager.seedPeer.enable, true);
  assert.equal(config.scheduler.manager.seedPeer.keepAlive.interval, 15_000);
  assert.equal(config.announcer.schedulerInterval, 10_000);
  assert.equal(config.download.peerGRPC.tcpListen.port, 4000);
  assert.equal(config.upload.tcpListen.port, 4105);
  assert.equal(config.download.downloadGRPC.unixListen.socket, '/run/d.sock');
  assert.equal(config.download.concurrentPieceCount, 10);
  assert.equal(config.upload.rateLimit, 10 * 2 ** 30);
  assert.deepEqual(
    [config.dataDir, config.keepStorage, config.cacheDir, config.pluginDir],
    ['/data', true, '/cache', '/plugins'],
  );
  assert.equal(config.storage.taskExpireTime, 6 * 3_600_000);
  assert.deepEqual([config.storage.diskGCThresholdPercent, config.storage.diskGCMarginPercent], [80, 20]);
  assert.equal(config.host.advertiseIP, '10.1.2.3');
  assert.equal(config.metrics, '0.0.0.0:4002');
  assert.deepEqual([config.health.path, config.health.tcpListen.port], ['/healthy', 4003]);
  assert.equal(config.proxy.rules[0]?.regex, 'blobs/sha256.*');
  assert.equal(config.proxy.server.port, 4001);
  assert.equal(config.proxy.prefetchBandwidthLimit, 2 * 2 ** 30);
  assert.equal(config.proxy.registryMirror.enableTaskIDBasedBlobDigest, false);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /dfdaemon\.yaml: taken without effect: .*storage\.writeBufferSize/);
  assert.equal(warnings[1], 'scheduler.scheduleTimeout is 30s: a silent scheduler holds no download up for longer');
});

test('what such a file leaves out is as it is there', async () => {
  const { config } = await load('gc: {}\n');
  assert.equal(config.keepStorage, false);
  assert.deepEqual(
    [config.download.peerGRPC.tcpListen.port, config.upload.tcpListen.port, config.proxy.server.port],
    [4000, 4005, 4001],
  );
  assert.equal(config.storage.taskExpireTime, 30 * 86_400_000);
  assert.equal(config.scheduler.manager.enable, false);
});

test('keys that have no effect are told once each, unknown ones with their line', async () => {
  const { warnings } = await load(`${client}backend: { maxRetries: 3 }\ntracing: { endpoint: 'http://t' }\ntypo: 1\n`);
  assert.ok(warnings.some((warning) => /dfdaemon\.yaml:\d+: unknown key typo is ignored/.test(warning)));
  assert.ok(warnings.some((warning) => warning.startsWith('backend has no effect')));
  assert.ok(warnings.some((warning) => warning.startsWith('tracing has no effect')));
});

test('a bad value is an error with its line; flags are above the file, in the keys of this daemon', async () => {
  await assert.rejects(load('gc: { interval: soon }\n'), {
    code: 'CONFIG_INVALID',
    message: /:1: gc\.interval: "soon"/,
  });
  await assert.rejects(load("proxy:\n  rules: [{ regex: '(' }]\nstats: {}\n"), {
    message: /:2: proxy\.rules\.0\.regex/,
  });
  const { config } = await load(client, ['upload.rateLimit=1Mi']);
  assert.equal(config.upload.rateLimit, 2 ** 20);
});

test('a file of the first generation stays one', async () => {
  const { config } = await load(
    'metrics: 127.0.0.1:1\nproxy: { server: { port: 5 } }\nstorage: { taskExpireTime: 1h }\n',
  );
  assert.equal(config.metrics, '127.0.0.1:1');
  assert.equal(config.download.peerGRPC.tcpListen.port, 65_000);
});

test('a rule without an expression is for every URL there, and for none in the first generation', async () => {
  const misspelt = 'proxy: { server: { port: 1 }, rules: [{ regex: blobs }, { regxe: file-server }] }\n';
  const { config, warnings } = await load(`stats: {}\n${misspelt}`);
  assert.deepEqual(
    config.proxy.rules.map(({ regex }) => regex),
    ['blobs', '.*'],
  );
  assert.ok(!warnings.some((warning) => warning.includes('matches nothing')));
  const older = await load('dataDir: /x\nproxy: { proxies: [{ regx: blobs }, { direct: true }] }\n');
  assert.deepEqual(older.warnings, ['proxy.proxies.1 has no regx, so it matches nothing']);
});

test('a daemon of the first generation may have sections of the second', async () => {
  const { config, warnings } = await load(
    'aliveTime: 0s\nmetrics: ":8000"\nscheduler: { scheduleTimeout: 0 }\ntracing: { endpoint: "t:4317" }\n',
  );
  assert.equal(config.metrics, ':8000');
  assert.ok(warnings.some((warning) => warning.startsWith('tracing has no effect')));
});

test('older names mean what they meant', async () => {
  const older = await load('dataDir: /x\ndownload: { concurrent: { thresholdSize: 10M, goroutineCount: 4 } }\n');
  assert.equal(originConnections(older.config), 4);
  assert.deepEqual(older.warnings.length, 1);
  assert.equal(originConnections((await load('download: { originConnections: 2 }\n')).config), 2);
  assert.equal(originConnections((await load('')).config), 1);
  assert.equal((await load('stats: {}\nmetrics: { port: 4102 }\n')).config.metrics, '0.0.0.0:4102');
});

test('without a manager, schedulers and block list come from the local dynconfig', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'local-dynconfig-'));
  try {
    const dynconfig = join(directory, 'dynconfig.yaml');
    const { config } = await load('gc: {}\n', [`dynconfig=${dynconfig}`]);
    assert.deepEqual((await configuredSettings(config, false)).schedulers, []);
    await writeFile(
      dynconfig,
      'scheduler: { addr: "127.0.0.9:8002" }\nseedClientConfig: { blockList: { task: { download: { tags: [no] } } } }\n',
    );
    const seed = await configuredSettings(config, true);
    assert.deepEqual([seed.schedulers, seed.blocked.tags], [['127.0.0.9:8002'], ['no']]);
    assert.deepEqual((await configuredSettings(config, false)).blocked.tags, []);
    await writeFile(dynconfig, 'scheduler: { addr: "ignored:1", addrs: ["10.0.0.1:8002", "10.0.0.2:8002"] }\n');
    assert.deepEqual((await configuredSettings(config, false)).schedulers, ['10.0.0.1:8002', '10.0.0.2:8002']);
    await writeFile(dynconfig, 'scheduler: { addr: "no-such-name.invalid:8002" }\n');
    await assert.rejects(configuredSettings(config, false), { code: 'UNAVAILABLE', message: /no-such-name\.invalid/ });
  } finally {
    await rm(directory, { recursive: true });
  }
});
