import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseConfig } from '../core/config/config.ts';
import { configNotes, databaseEngine, managerConfigSchema, parseListenAddress } from './config.ts';

const parse = (text: string) => parseConfig(managerConfigSchema, text, 'manager.yaml');

/** The keys of a file from a running cluster of the original, including misplaced and obsolete ones. */
const original = `
server:
  workHome: ''
  cacheDir: ''
  logDir: /var/log/dragonfly
  pluginDir: ''
  grpc:
    listenIP: 0.0.0.0
    advertiseIP: 10.0.0.1
    port: {start: 65003, end: 65003}
  rest: {addr: ':8080'}
auth:
  jwt: {realm: Dragonfly, key: ZHJhZ29uZmx5Cg==, timeout: 48h, maxRefresh: 48h}
database:
  type: mysql
  mysql: {user: dragonfly, password: dragonfly, host: mysql, port: 3306, dbname: manager, migrate: true}
  redis: {addrs: ['redis:6379'], masterName: '', username: '', password: dragonfly, db: 0, brokerDB: 1, backendDB: 2}
cache:
  redis: {ttl: 5m}
  local: {size: 200000, ttl: 3m}
job:
  rateLimit: {fillInterval: 1m, capacity: 5, quantum: 5}
  gc: {interval: 3h, ttl: 6h}
  preheat: {registryTimeout: 1m}
  syncPeers: {interval: 24h, timeout: 10m}
objectStorage: {enable: false, name: s3}
security:
  autoIssueCert: false
  caCert: ''
  tlsPolicy: prefer
  certSpec: {validityPeriod: 87600h}
metrics: {enable: true, addr: ':8000', enablePeerGauge: false}
network: {enableIPv6: false}
console: true
verbose: true
pprof-port: -1
tracing: {addr: ''}
`;

describe('manager.yaml', () => {
  test('that of the original is read as it is, with a note on what has no part here', () => {
    const { config, warnings } = parse(original);
    assert.equal(databaseEngine(config.database), 'mysql');
    assert.equal(config.auth.jwt.timeout, 48 * 3600 * 1000);
    assert.deepEqual(warnings, [
      'manager.yaml: taken without effect: server.workHome, server.cacheDir, server.grpc.port.end, job.rateLimit, job.gc, metrics.enablePeerGauge, pprof-port',
    ]);
    assert.ok(configNotes(config).some((note) => note.startsWith('database.redis is ignored')));
  });

  test('an empty file gives a manager that needs nothing else', () => {
    const { config } = parse('');
    assert.equal(databaseEngine(config.database), 'sqlite');
    assert.equal(config.server.rest.addr, ':8080');
    assert.equal(config.server.grpc.port.start, 65_003);
    assert.equal(config.auth.signUp, false);
  });

  for (const [text, engine] of [
    ['database: {postgres: {host: a}}', 'postgres'],
    ['database: {mysql: {host: a}}', 'mysql'],
    ['database: {type: mariadb, mysql: {host: a}, postgres: {host: b}}', 'mysql'],
    ['database: {type: sqlite, mysql: {host: a}}', 'sqlite'],
  ] as const) {
    test(`${text} means ${engine}`, () => assert.equal(databaseEngine(parse(text).config.database), engine));
  }

  test('a bad value is refused with its line', () => {
    assert.throws(() => parse('server:\n  grpc:\n    port: {start: 70000}\n'), /manager\.yaml:3/);
    assert.throws(() => parse('database: {type: oracle}'), /database\.type/);
  });
});

describe('listen addresses', () => {
  for (const [text, host, port] of [
    [':8080', '0.0.0.0', 8080],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['[::1]:80', '::1', 80],
  ] as const) {
    test(text, () => assert.deepEqual(parseListenAddress(text), { host, port }));
  }
  test('every address of both kinds with IPv6', () => assert.equal(parseListenAddress(':1', true).host, '::'));
});
