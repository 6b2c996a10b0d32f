/** Whole daemons and a scheduler over TLS, with a relay in front of everything that records what passes. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { taskId } from '../../src/core/ids.ts';
import { parseConfig } from '../../src/core/config/config.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import type { DfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { Channels } from '../../src/rpc/channels.ts';
import type { ClientTls } from '../../src/rpc/tls.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';
import { TestAuthority, type KeyAndCertificate } from '../rpc/certificates.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { recordingRelay } from '../support/recording-relay.ts';

const mebibyte = 2 ** 20;
const pattern = 'a sentence that must never be read on the wire. ';
const content = Buffer.alloc(9 * mebibyte, pattern);

/** Services listen here, and are reached at the other address, where relays listen on the same ports. */
const [inside, outside] = ['127.0.0.1', '127.0.0.2'];

type Security = DfdaemonConfig['upload']['security'];

interface Setting {
  readonly peer?: Security;
  readonly piece?: Security;
  readonly policy?: DfdaemonConfig['security']['tlsPolicy'];
  readonly autoIssue?: boolean;
}

describe('transport security', { timeout: 400_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let authority: TestAuthority;
  let own: KeyAndCertificate;
  let count = 0;
  const cleanup = new AsyncDisposableStack();

  before(async () => {
    [swarm, origin] = [cleanup.use(await LocalSwarm.create()), cleanup.use(await HttpOrigin.start())];
    authority = await TestAuthority.create();
    own = await authority.issue(outside);
  });
  after(() => cleanup.disposeAsync());

  /** The certificate as a path, the rest as text. */
  function files(change: Partial<Security> = {}): Security {
    const path = swarm.directory.join(`certificate-${(count += 1)}.pem`);
    writeFileSync(path, own.cert);
    const text = { caCert: authority.ca.toString(), key: own.key.toString() };
    return { insecure: false, tlsVerify: true, cert: path, ...text, ...change };
  }

  const start = (
    { peer, piece, policy, autoIssue = false }: Setting,
    schedulers: readonly string[] = [],
  ): Promise<Daemon> =>
    swarm.startDaemon(`daemon-${(count += 1)}`, {
      schedulers,
      adjust: (config) => ({
        ...config,
        host: { ...config.host, advertiseIP: outside },
        download: {
          ...config.download,
          peerGRPC: { ...config.download.peerGRPC, ...(peer && { security: peer }) },
        },
        upload: { ...config.upload, ...(piece && { security: piece }) },
        security: { ...config.security, tlsPolicy: policy ?? 'default', autoIssueCert: autoIssue },
      }),
    });

  async function startScheduler(secure: boolean): Promise<string> {
    const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => swarm.directory.join(`scheduler-${name}.pem`));
    for (const [path, text] of [
      [ca, authority.ca],
      [cert, own.cert],
      [key, own.key],
    ] as const)
      writeFileSync(path ?? '', text);
    const tls = secure ? `, tls: {caCert: ${ca}, cert: ${cert}, key: ${key}}` : '';
    const cacheDir = swarm.directory.join(`scheduler-${(count += 1)}`);
    const yaml = `server: {port: 0, listenIP: ${inside}, advertiseIP: ${inside}, cacheDir: ${cacheDir}${tls}}\nmanager: {addr: ""}\n`;
    const { config } = parseConfig(schedulerConfigSchema, yaml, 'scheduler.yaml');
    const service = cleanup.use(await SchedulerService.create(config, { logger: silentLogger }));
    await service.start();
    return service.addresses.grpc;
  }

  /** Relays the port from the outside to the inside. */
  async function relay(address: string | undefined, seen: Buffer[]): Promise<void> {
    const port = Number(address?.split(':').at(-1));
    cleanup.use(await recordingRelay({ host: outside, port }, { host: inside, port }, seen));
  }

  /** One daemon gets the content from the other; resolves with everything that passed between all services. */
  async function recordTransfer(security: Setting, secureScheduler: boolean): Promise<Buffer> {
    const seen: Buffer[] = [];
    const scheduler = await startScheduler(secureScheduler);
    await relay(scheduler, seen);
    const schedulers = [scheduler.replace(inside ?? '', outside ?? '')];
    const parent = await start(security, schedulers);
    await Promise.all([relay(parent.service.addresses.peer, seen), relay(parent.service.addresses.upload, seen)]);
    const child = await start(security, schedulers);
    const url = origin.add(`/secret-${(count += 1)}`, { content });
    await swarm.download(parent, { url });
    const outputPath = swarm.directory.join(`out-${count}`);
    const receipt = await swarm.download(child, { url, outputPath });
    assert.equal(receipt.bytesFromOrigin, 0, 'all comes from the parent');
    assert.deepEqual(readFileSync(outputPath), content);
    assert.ok(seen.reduce((sum, chunk) => sum + chunk.length, 0) > content.length, 'it went through the relays');
    const all = Buffer.concat(seen);
    assert.equal(all.includes(taskId({ url })), all.includes(pattern), 'pieces and calls alike');
    return all;
  }

  test('force: a recording relay sees nothing of pieces or calls', async () => {
    const seen = await recordTransfer({ peer: files(), piece: files(), policy: 'force' }, true);
    assert.equal(seen.includes(pattern), false);
  });

  test('one listener that is not insecure is enough: all of it is encrypted', async () => {
    const seen = await recordTransfer({ piece: files() }, true);
    assert.equal(seen.includes(pattern), false);
  });

  test('prefer: members that can encrypt do', async () => {
    const seen = await recordTransfer({ peer: files(), policy: 'prefer' }, true);
    assert.equal(seen.includes(pattern), false);
  });

  test('without any, the relay can read it', async () => {
    const seen = await recordTransfer({}, false);
    assert.ok(seen.includes(pattern));
  });

  /** What a caller of the peer port gets: the code of its error. PERMISSION_DENIED says that it was heard: only the control plane may ask this. */
  async function call(daemon: Daemon, tls: ClientTls | undefined): Promise<string> {
    await using channels = new Channels({ tls });
    const address = daemon.service.addresses.peer?.replace(outside ?? '', inside ?? '') ?? '';
    const client = createClient(DfdaemonUploadDefinition, channels, address);
    try {
      await client.statLocalTask({ taskId: 'a'.repeat(64) }, { timeoutMs: 5000 });
      return 'OK';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  test('who may call, by policy', async () => {
    const serverName = 'localhost';
    const member = { ca: authority.ca, ...own, serverName };
    const stranger = { ...member, ...(await (await TestAuthority.create('strangers')).issue()) };
    const nameless = { ca: authority.ca, serverName };
    const expected: [Setting, [ClientTls | undefined, boolean][]][] = [
      [
        { peer: files(), policy: 'force' },
        [
          [member, true],
          [nameless, false],
          [stranger, false],
          [undefined, false],
        ],
      ],
      [
        { peer: files(), policy: 'prefer' },
        [
          [member, true],
          [nameless, false],
          [stranger, false],
          [undefined, true],
        ],
      ],
      [
        { peer: files({ tlsVerify: false }) },
        [
          [member, true],
          [nameless, true],
          [undefined, false],
        ],
      ],
    ];
    for (const [security, callers] of expected) {
      const daemon = await start(security);
      for (const [tls, heard] of callers) {
        const code = await call(daemon, tls);
        assert.equal(code, heard ? 'PERMISSION_DENIED' : 'UNAVAILABLE', `${security.policy ?? 'default'}, ${heard}`);
      }
    }
  });

  test('a daemon with prefer closes, whatever is connected', async () => {
    const daemon = await start({ peer: files(), policy: 'prefer' });
    const port = Number(daemon.service.addresses.peer?.split(':').at(-1));
    const silent = connect(port, inside).on('error', () => undefined);
    await once(silent, 'connect');
    const closed = once(silent, 'close');
    await using channels = new Channels();
    await channels.ready(`${inside}:${port}`);
    await swarm.stopDaemon(daemon.name);
    await closed;
  });

  test('what does not load ends the start', async () => {
    const other = await authority.issue(outside);
    const broken: Setting[] = [
      { policy: 'force' },
      { autoIssue: true },
      { peer: files({ cert: '/no/such/file.pem' }) },
      { piece: files({ key: '' }) },
      { peer: files({ key: other.key.toString() }) },
      { peer: files(), piece: files({ cert: 'nonsense' }) },
      { peer: files({ caCert: own.key.toString() }) },
      { peer: files({ caCert: '' }) },
    ];
    for (const [index, security] of broken.entries())
      await assert.rejects(start(security), { code: 'CONFIG_INVALID' }, `case ${index}`);
  });
});
