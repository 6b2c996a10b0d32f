/**
 * The published suite of cache behaviour (npm `http-cache-tests`) by way of a rule, beside the caches whose results it ships:
 *   npm install --prefix /tmp/suite http-cache-tests && node bench/proxy/cache-suite.ts /tmp/suite/node_modules/http-cache-tests
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startDaemon } from '../../test/proxy/support/proxy-fixture.ts';
import { freePort } from '../../test/support/free-port.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { waitFor } from '../../test/support/wait-for.ts';

interface CacheTest {
  readonly id: string;
  readonly kind?: 'required' | 'optimal' | 'check';
  readonly browser_only?: boolean;
  readonly depends_on?: readonly string[];
}
type Results = Readonly<Record<string, true | readonly [kind: string, message: string]>>;

const suite = resolve(process.argv[2] ?? 'node_modules/http-cache-tests');
await using directory = await temporaryDirectory('df-suite-');
const port = await freePort();
const env = {
  ...process.env,
  npm_config_protocol: 'http',
  npm_config_port: String(port),
  npm_config_pidfile: directory.join('pid'),
  npm_config_id: '',
  npm_package_config_id: '',
};
const server = spawn(process.execPath, ['server/server.mjs'], { cwd: suite, env, stdio: 'ignore' });
try {
  await waitFor('the suite to serve', () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    ),
  );
  const mirror = { url: `http://127.0.0.1:${port}`, useProxies: true };
  await using daemon = await startDaemon({ proxy: { registryMirror: mirror, proxies: [{ regx: '/test/' }] } });
  const client = spawn(process.execPath, ['--no-warnings', 'cli.mjs'], {
    cwd: suite,
    env: { ...env, npm_config_base: daemon.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  client.stdout.on('data', (block: Buffer) => (out += block.toString()));
  await once(client, 'close');
  const { default: sets } = (await import(join(suite, 'tests/index.mjs'))) as { default: { tests: CacheTest[] }[] };
  const tests = sets.flatMap((set) => set.tests).filter((test) => test.browser_only !== true);
  const ours = JSON.parse(out.slice(out.indexOf('{'))) as Results;
  report('this node', tests, ours);
  for (const name of ['nginx', 'varnish', 'squid', 'trafficserver'])
    report(name, tests, JSON.parse(await readFile(join(suite, `results/${name}.json`), 'utf8')) as Results);
  for (const { id, kind = 'required' } of tests) {
    const result = ours[id];
    if (result !== true && kind === 'required') process.stdout.write(`  ${id}: ${result?.join(': ') ?? 'not run'}\n`);
  }
} finally {
  server.kill();
}

/** A required test counts as failed when what it depends on has passed. */
function report(name: string, tests: readonly CacheTest[], results: Results): void {
  const counted = tests.filter(({ kind }) => kind !== 'check');
  const passed = counted.filter(({ id }) => results[id] === true).length;
  const failed = counted.filter(({ id, kind = 'required', depends_on: needed = [] }) => {
    const result = results[id];
    const usable = needed.every((other) => results[other] === true);
    return kind === 'required' && result !== true && result?.[0] === 'Assertion' && usable;
  });
  process.stdout.write(
    `${name.padEnd(14)} ${passed} of ${counted.length} passed, ${failed.length} required ones failed\n`,
  );
}
