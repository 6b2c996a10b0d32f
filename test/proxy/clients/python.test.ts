/** The package for Python, installed as users install it, beside a daemon with its doors open. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { issueCertificates } from '../../source/certificates.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { pythonEnvironment, pythonMissing } from '../../support/python-environment.ts';
import { startModelHub, type ModelHub } from '../support/model-hub.ts';
import { isProbe, serveBody, startOrigin, type Origin } from '../support/proxy-fixture.ts';
import { startSmallStore, storeKey, type SmallStore } from '../support/s3-store.ts';

const execute = promisify(execFile);
const packageDirectory = join(import.meta.dirname, '../../../clients/python');
const scriptTimeoutMs = 300_000;

void describe('the package for Python', { skip: pythonMissing }, () => {
  const owned = new AsyncDisposableStack();
  const model = randomBytes(9 * 2 ** 20 + 17);
  let python: string;
  let swarm: LocalSwarm;
  let daemon: Daemon;
  let origin: Origin;
  let secureOrigin: string;
  let store: SmallStore;
  let hub: ModelHub;
  before(async () => {
    swarm = owned.use(await LocalSwarm.create());
    python = await pythonEnvironment(swarm.directory.join('python'), [
      packageDirectory,
      'fsspec[http]',
      's3fs',
      'huggingface_hub',
      'mypy',
    ]);
    origin = owned.use(await startFiles(model));
    hub = owned.use(await startModelHub());
    store = owned.use(await startSmallStore());
    store.objects.set('models/models/model.bin', model);
    const { ca, cert, key } = await issueCertificates([{ type: 'dns', value: 'localhost' }]);
    await writeFile(swarm.directory.join('authority.pem'), ca);
    const secure = createServer({ cert, key }, serveBody(model, { etag: '"v1"' })).listen(0, '127.0.0.1');
    owned.defer(() => {
      secure.close();
      secure.closeAllConnections();
    });
    await once(secure, 'listening');
    secureOrigin = `https://localhost:${(secure.address() as AddressInfo).port}`;
    await swarm.startScheduler();
    const bucket = { name: 'models', endpoint: store.origin.url, ...storeKey, anonymous: true };
    const doors = { huggingface: { endpoint: hub.hub.url }, s3: { tcpListen: { port: 0 }, buckets: [bucket] } };
    daemon = await swarm.startDaemon('node', {
      yaml: `doors: ${JSON.stringify(doors)}`,
      adjust: (config) => ({
        ...config,
        download: { ...config.download, sourceCA: [swarm.directory.join('authority.pem')] },
      }),
    });
  });
  after(() => owned.disposeAsync());

  it('finds the daemon, leads clients through its doors, reads files', async () => {
    const { addresses } = daemon.service;
    const env = {
      ...process.env,
      DRAGONFLY_PROXY: `http://${addresses['proxy']}`,
      S3_DOOR: `http://${addresses['s3']}`,
      ORIGIN: origin.url,
      TLS_ORIGIN: secureOrigin,
      SHA256: createHash('sha256').update(model).digest('hex'),
      HUB_SHA256: hub.sha256,
      HUB_COMMIT: hub.commit,
      HF_HOME: swarm.directory.join('hf'),
      PYTHONDONTWRITEBYTECODE: '1',
    };
    const script = join(packageDirectory, 'tests/test_package.py');
    const { stderr } = await execute(python, [script], { env, timeout: scriptTimeoutMs });
    assert.match(stderr, /\nOK\n$/);
    const bodies = origin.seen.filter(({ url, method, headers }) => {
      return url.startsWith('/model.bin') && method === 'GET' && !isProbe(headers.range);
    });
    assert.ok(bodies.length <= 2, `${bodies.length} bodies: one for the node, and one where there was no daemon`);
  });

  it('is typed throughout', async () => {
    const options = { cwd: packageDirectory, timeout: scriptTimeoutMs };
    const cache = swarm.directory.join('mypy');
    await execute(python, ['-m', 'mypy', '--cache-dir', cache, 'src'], options);
  });
});

/** A model under any query, small files, one that needs a right, one that leads to another host. */
async function startFiles(model: Buffer): Promise<Origin> {
  const files = await startOrigin((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const [, number] = /^\/small\/(\d+)$/.exec(path) ?? [];
    const { authorization } = request.headers;
    const fail = (status: number): void => void response.writeHead(status, { 'content-length': 0 }).end();
    if (path === '/model.bin') return serveBody(model, { etag: '"v1"' })(request, response);
    if (number !== undefined) return serveBody(Buffer.from(`small ${number}`))(request, response);
    if (path === '/secret' && authorization !== 'Bearer right') return fail(403);
    if (path === '/secret') return serveBody(Buffer.from('for those who may'))(request, response);
    if (path === '/elsewhere') {
      const location = `http://localhost:${files.url.split(':').at(-1)}/arrived`;
      return void response.writeHead(302, { location, 'content-length': 0 }).end();
    }
    if (path === '/arrived')
      return serveBody(Buffer.from(authorization === undefined ? 'no secret came' : authorization))(request, response);
    fail(404);
  });
  return files;
}
