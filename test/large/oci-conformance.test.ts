// needs: docker-registry
/**
 * The published conformance suite of the OCI distribution specification, pushes included: nothing fails through a node, as a
 * mirror or as a forward proxy, that passes at the registry itself. Skipped where there is no Go to build it.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DockerRegistry } from '../proxy/support/docker-registry.ts';
import { startDaemon } from '../proxy/support/proxy-fixture.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** A pseudo-version of the branch that carries the suite of 1.1; it needs Go 1.24. */
const suite = 'github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111';

/** Go asks no proxy for loopback addresses. */
const address = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
const withoutGo = spawnSync('go', ['version']).status !== 0;
const skip = withoutGo ? 'there is no Go' : address === undefined ? 'this machine has no address but loopback' : false;

test('the suite of OCI distribution passes through a node what it passes at the registry', { skip }, async (t) => {
  await using directory = await temporaryDirectory('df-oci-');
  const program = await built(directory.join('bin'));

  /** Passed cases by name, of which several may have the same. */
  const passes = async (name: string, way: 'direct' | 'mirror' | 'forward'): Promise<Map<string, number>> => {
    await mkdir(directory.join(name));
    await using registry = await DockerRegistry.start({
      directory: directory.join(name, 'registry'),
      address: address ?? '',
    });
    const proxy = {
      registryMirror: { addr: registry.url, dynamic: false },
      proxies: [{ regx: 'blobs/sha256.*' }],
    };
    await using daemon = way === 'direct' ? undefined : await startDaemon({ proxy });
    const host = way === 'mirror' ? `127.0.0.1:${daemon?.port}` : registry.host;
    const env = way === 'forward' ? { HTTP_PROXY: daemon?.url, http_proxy: daemon?.url } : {};
    const results = directory.join(name, 'results');
    await run(program, [], {
      ...env,
      OCI_REGISTRY: host,
      OCI_TLS: 'disabled',
      OCI_VERSION: '1.1',
      OCI_RESULTS_DIR: results,
    });
    return passedCases(await readFile(join(results, 'junit.xml'), 'utf8'));
  };

  const direct = await passes('direct', 'direct');
  const total = sum(direct);
  t.diagnostic(`direct: ${total} passed`);
  assert.ok(total > 500, 'the suite ran');
  for (const way of ['mirror', 'forward'] as const) {
    const through = await passes(way, way);
    const gained = [...through].filter(([name, count]) => (direct.get(name) ?? 0) < count).map(([name]) => name);
    t.diagnostic([`${way}: ${sum(through)} passed`, ...gained.map((name) => `  not direct: ${name}`)].join('\n'));
    const lost = [...direct].filter(([name, count]) => (through.get(name) ?? 0) < count).map(([name]) => name);
    assert.deepEqual(lost, [], `passes direct, not by the ${way}`);
  }
});

async function built(directory: string): Promise<string> {
  await run('go', ['install', suite], { GOBIN: directory, GOFLAGS: '-mod=mod' }, true);
  return join(directory, 'conformance');
}

/** The suite ends with 1 when a single case failed, which the registry's own do. */
async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  mustPass = false,
): Promise<void> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.ok(code === 0 || (!mustPass && code === 1), `${program} ended with ${code}: ${output.slice(-2000)}`);
}

function passedCases(junit: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [tag] of junit.matchAll(/<testcase [^>]*>/g)) {
    const name = /\bname="([^"]*)"/.exec(tag)?.[1] ?? '';
    if (/\bstatus="passed"/.test(tag)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
