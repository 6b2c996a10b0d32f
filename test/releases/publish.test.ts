/** Directories that are published and subscribed to, in a cluster of real processes: manager, scheduler and three nodes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { promisify } from 'node:util';
import { runDfctl } from '../../src/cli/dfctl/dfctl.ts';
import { ManagerReleasesDefinition } from '../../gen/manager/v2/release.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { runTool } from '../cli/tool-io.ts';
import { waitFor } from '../support/wait-for.ts';
import { change, makeDirectory, mib, releaseLab, requireSame, type ReleaseLab } from './release-lab.ts';

const run = promisify(execFile);

describe('publish and subscribe', { timeout: 600_000 }, () => {
  let lab: ReleaseLab;
  const v = (number: number): string => lab.directory.join(`v${number}`);
  const at = (name: string): string => lab.directory.join(name);

  before(async () => {
    lab = await releaseLab(3);
    await makeDirectory(v(1));
    for (const number of [2, 3]) {
      await run('cp', ['-a', v(number - 1), v(number)]);
      await change(`${v(number)}/weights/a.bin`, 7 * mib * number + 4711, 2 * mib, `change ${number}`);
    }
    await writeFile(`${v(2)}/added.txt`, 'new in v2');
  });
  after(() => lab?.[Symbol.asyncDispose]());

  test('a version comes to two subscribers whole, and the next one at the cost of what changed', async (context) => {
    const published = await lab.publish(1, v(1), 'model@v1');
    assert.equal(published.error, undefined);
    assert.match(
      published.stdout.toString(),
      /^Done: model@v1, 64\.0 MiB in 6 files, 64\.1 MiB of it new, on 2 nodes until /,
    );
    for (const peer of [2, 3]) {
      const { error, stdout } = await lab.subscribe(peer, 'model', at(`m${peer}`), '--once');
      assert.equal(error, undefined);
      assert.equal(stdout.toString(), 'Done: model@v1\n');
      await requireSame(v(1), `${at(`m${peer}`)}/`);
    }
    const before = (await lab.received(2)) + (await lab.received(3));
    assert.ok(before >= 2 * 64 * mib, `${before} bytes came to two nodes`);
    const second = await lab.publish(1, v(2), 'model@v2');
    assert.equal(second.error, undefined);
    for (const peer of [2, 3]) {
      assert.equal((await lab.subscribe(peer, 'model', at(`m${peer}`), '--once')).error, undefined);
      assert.equal(await readlink(at(`m${peer}`)), `m${peer}.versions/v2`);
      await requireSame(v(2), `${at(`m${peer}`)}/`);
    }
    const moved = (await lab.received(2)) + (await lab.received(3)) - before;
    const changed = 2 * (2 * mib + 'new in v2'.length);
    context.diagnostic(`${moved} bytes to two nodes, of which ${changed} had changed: ${(moved / changed).toFixed(3)}`);
    assert.ok(moved >= changed && moved <= 1.15 * changed, `${moved} of ${changed}`);
  });

  test('the manager says who has what, and has it in its trail', async () => {
    const [first, ...rest] = await lab.root.ok<{ version: string; new_length: number }[]>(
      'GET',
      '/api/v1/releases?name=model',
    );
    assert.deepEqual([first?.version, rest.map(({ version }) => version)], ['v2', ['v1']]);
    const subscribers = await lab.root.ok<Record<string, string>[]>('GET', '/api/v1/releases/model/subscribers');
    const told = subscribers.map(({ host_id, path, version, state }) => ({ host_id, path, version, state }));
    assert.deepEqual(
      told.toSorted((a, b) => ((a.host_id ?? '') < (b.host_id ?? '') ? -1 : 1)),
      [2, 3].map((peer) => ({
        host_id: `127.0.0.1-peer-${peer}`,
        path: at(`m${peer}`),
        version: 'v2',
        state: 'switched',
      })),
    );
    const { token } = await lab.root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
      name: 'dfctl',
      scopes: ['cluster'],
      expired_at: new Date(Date.now() + 3_600_000).toISOString(),
      user_id: 1,
    });
    const env = { DFCTL_TOKEN: token, DFCTL_MANAGER: lab.cluster.node('manager').process.address('rest') };
    const dfctl = async (...words: string[]): Promise<string> => {
      const { error, stdout } = await runTool(runDfctl, ['release', ...words], { env });
      if (error) throw error;
      return stdout.toString();
    };
    const listed = await dfctl('ls', 'model');
    assert.match(listed, /^NAME +SIZE +NEW +REPLICAS +RUN BY +AGE +SIGNED$/m);
    assert.match(listed, /^model@v2 +64.0 MiB +\S+ MiB +2 +2 of 2 +\S+ +-$/m);
    const shown = await dfctl('show', 'model');
    assert.match(shown, /^model@v2, 64.0 MiB in \d+ files on 2 nodes, by /);
    for (const peer of [2, 3]) assert.match(shown, new RegExp(`^127.0.0.1-peer-${peer} +v2 +switched`, 'm'));
    assert.equal(await dfctl('ls', 'none'), 'Nothing is published.\n');
    await assert.rejects(dfctl('show', 'none'), { code: 'NOT_FOUND' });
    const audits = await lab.root.ok<{ operation: string; path: string; actor_name: string }[]>(
      'GET',
      '/api/v1/audits',
    );
    const trail = audits.filter(({ operation }) => operation === 'PUBLISH').map(({ path }) => path);
    assert.deepEqual(trail.sort(), ['/releases/model/v1', '/releases/model/v2']);
  });

  test('rolled back it stays until there is a newer version; a follower is told of that at once', async () => {
    const path = at('m2');
    const { error } = await lab.subscribe(2, 'model', path, '--version', 'v1');
    assert.equal(error, undefined);
    await requireSame(v(1), `${path}/`);
    const hook =
      'printf "%s %s %s\\n" "$DRAGONFLY_NAME" "$DRAGONFLY_VERSION" "$DRAGONFLY_DIRECTORY" >> hooked; cat "$DRAGONFLY_LINK/config.json" >> hooked';
    const follower = lab.subscriber(2, 'model', path, '--keep', '2', '--exec', `cd ${lab.directory.path}; ${hook}`);
    try {
      const hooked = (): Promise<string> => readFile(at('hooked'), 'utf8').catch(() => '');
      await waitFor('the command for the version in use', async () => (await hooked()).includes('model v1'));
      assert.equal(await readlink(path), 'm2.versions/v1');
      assert.equal((await lab.publish(1, v(3), 'model@v3')).error, undefined);
      await waitFor('the follower to switch', async () => (await hooked()).includes('model v3'));
      await requireSame(v(3), `${path}/`);
      assert.match(await hooked(), new RegExp(`^model v3 ${path}.versions/v3\n\\{"layers": 2\\}\n`, 'm'));
      await waitFor('old versions to be deleted', async () => {
        const names = await readdir(`${path}.versions`);
        return (
          names
            .filter((name) => !name.startsWith('.'))
            .sort()
            .join() === 'v1,v3'
        );
      });
    } finally {
      follower.kill('SIGTERM');
      assert.deepEqual(await once(follower, 'close'), [0, null]);
    }
  });

  test('content of a version is told to subscribers before the version counts, and comes to them once', async () => {
    await run('cp', ['-a', v(3), v(4)]);
    await change(`${v(4)}/weights/a.bin`, 40 * mib, 4 * mib, 'change 4');
    await using channels = new Channels();
    const releases = createClient(ManagerReleasesDefinition, channels, `unix:${lab.peer(3).socket}`);
    const ended = new AbortController();
    const told: string[] = [];
    const packs = (async () => {
      for await (const pack of releases.watchPacks({ name: 'early' }, { signal: ended.signal }))
        told.push(`content of ${pack.version}`);
    })().catch(() => undefined);
    const versions = (async () => {
      for await (const { version } of releases.watchReleases({ name: 'early', afterId: 0 }, { signal: ended.signal }))
        told.push(version);
    })().catch(() => undefined);
    const follower = lab.subscriber(3, 'early', at('early3'), '--no-progress');
    try {
      assert.equal((await lab.publish(1, v(3), 'early@v3')).error, undefined);
      await waitFor('the first version', async () => (await readlink(at('early3')).catch(() => '')) !== '');
      const before = (await lab.received(2)) + (await lab.received(3));
      assert.equal((await lab.publish(1, v(4), 'early@v4')).error, undefined);
      await waitFor('the second one', async () => (await readlink(at('early3'))).endsWith('/v4'));
      await requireSame(v(4), `${at('early3')}/`);
      const moved = (await lab.received(2)) + (await lab.received(3)) - before;
      assert.ok(moved <= 2 * 1.3 * 4 * mib, `${moved} bytes for ${4 * mib} that had changed`);
      await waitFor('both to be told', async () => told.includes('v4'));
      assert.ok(
        told.indexOf('content of v4') !== -1 && told.indexOf('content of v4') < told.indexOf('v4'),
        told.join(),
      );
    } finally {
      ended.abort();
      await Promise.all([packs, versions]);
      follower.kill('SIGTERM');
      await once(follower, 'close');
    }
  });

  test('a subscriber that is killed half-way has switched to nothing, and the next one brings it to its end', async () => {
    const path = at('killed');
    for (let round = 0; round < 2; round += 1) {
      const victim = lab.subscriber(3, 'model', path, '--once');
      await waitFor('it to be half-way', async () => {
        const { stdout } = await run('find', [`${path}.versions`, '-path', '*/tree/weights/b.bin']).catch(() => ({
          stdout: '',
        }));
        return stdout !== '';
      });
      victim.kill('SIGKILL');
      await once(victim, 'close');
      await assert.rejects(readlink(path), { code: 'ENOENT' });
    }
    assert.equal((await lab.subscribe(3, 'model', path, '--once')).error, undefined);
    await requireSame(v(3), `${path}/`);
    assert.deepEqual(
      (await readdir(`${path}.versions`)).filter((name) => name.startsWith('.unfinished')),
      [],
    );
  });

  test('what was changed in a version that is here is noticed and mended, in the next one and when it is gone back to', async () => {
    const path = at('m3');
    await change(`${path}.versions/v2/weights/b.bin`, 3 * mib, 1000, 'somebody');
    assert.equal((await lab.subscribe(3, 'model', path, '--once')).error, undefined);
    await requireSame(v(3), `${path}/`);
    assert.equal((await lab.subscribe(3, 'model', path, '--version', 'v2')).error, undefined);
    await requireSame(v(2), `${path}/`);
  });

  test('the node that published may die: the others have it', async () => {
    await mkdir(v(9));
    await writeFile(`${v(9)}/f`, 'nine');
    assert.equal((await lab.publish(1, v(9), 'other@v9')).error, undefined);
    await lab.cluster.kill('peer-1');
    for (const peer of [2, 3]) {
      assert.equal((await lab.subscribe(peer, 'other', at(`o${peer}`), '--once')).error, undefined);
      await requireSame(v(9), `${at(`o${peer}`)}/`);
      assert.equal((await lab.subscribe(peer, 'model', at(`again${peer}`), '--version', 'v1')).error, undefined);
      await requireSame(v(1), `${at(`again${peer}`)}/`);
    }
    await lab.cluster.restart('peer-1');
  });

  test('a signed name takes no other key, and a subscriber that asks for a key no other version', async () => {
    const [ours, theirs] = [at('ours'), at('theirs')];
    for (const key of [ours, theirs]) {
      await run('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', key]);
      await run('openssl', ['pkey', '-in', key, '-pubout', '-out', `${key}.pub`]);
    }
    const path = at('signed');
    assert.equal((await lab.publish(1, v(9), 'signed@v1', '--sign', ours)).error, undefined);
    assert.equal((await lab.publish(2, v(9), 'signed@v2', '--sign', theirs)).error?.code, 'PERMISSION_DENIED');
    assert.equal((await lab.publish(2, v(9), 'signed@v2')).error?.code, 'PERMISSION_DENIED');
    await using channels = new Channels();
    const pack = { name: 'signed', version: 'v2', taskId: 'a'.repeat(64), publicKey: '', signature: '' };
    const releases = createClient(ManagerReleasesDefinition, channels, `unix:${lab.peer(2).socket}`);
    await assert.rejects(releases.announcePack({ pack, hostId: '' }), { code: 'PERMISSION_DENIED' });
    await assert.rejects(releases.announcePack({ pack: { ...pack, name: 'else' }, hostId: '' }), { code: 'NOT_FOUND' });
    const refused = await lab.subscribe(2, 'signed', path, '--once', '--require', `${theirs}.pub`);
    assert.equal(refused.error?.code, 'PERMISSION_DENIED');
    await assert.rejects(readlink(path), { code: 'ENOENT' });
    const words = ['--once', '--require', `${theirs}.pub`, '--require', `${ours}.pub`];
    assert.equal((await lab.subscribe(2, 'signed', path, ...words)).error, undefined);
    await requireSame(v(9), `${path}/`);
    assert.equal(
      (await lab.subscribe(2, 'other', at('o2'), '--once', '--require', `${ours}.pub`)).error?.code,
      'PERMISSION_DENIED',
    );
  });

  test('a version never changes; the same directory again is no error', async () => {
    const kept = await lab.kept();
    assert.equal((await lab.publish(2, v(9), 'other@v9')).error, undefined);
    assert.equal((await lab.publish(2, v(1), 'other@v9')).error?.code, 'ALREADY_EXISTS');
    await waitFor('nothing of it to be left', async () => isDeepStrictEqual(await lab.kept(), kept));
  });

  test('bad input gets one clear error, and leaves nothing', async () => {
    const kept = await lab.kept();
    const bad = at('bad');
    await mkdir(bad);
    await writeFile(`${bad}/f`, 'x');
    const codeOf = async (reference: string, ...words: string[]): Promise<string | undefined> =>
      (await lab.publish(1, bad, reference, ...words)).error?.code;
    for (const reference of ['x', 'x@', '@v1', '../x@v1', 'x@../v1', 'x@.v', 'a b@v1', `${'n'.repeat(129)}@v1`])
      assert.equal(await codeOf(reference), 'INVALID_ARGUMENT', reference);
    for (const words of [
      ['--replicas', '0'],
      ['--replicas', '99999999999'],
      ['--ttl', '1m'],
      ['--sign', `${bad}/f`],
    ])
      assert.equal(await codeOf('x@v1', ...words), 'INVALID_ARGUMENT', words.join(' '));
    assert.equal(await codeOf('x@v1', '--replicas', '4'), 'RESOURCE_EXHAUSTED');
    assert.equal((await lab.publish(1, at('nowhere'), 'x@v1')).error?.code, 'INVALID_ARGUMENT');
    assert.equal((await lab.publish(1, `${bad}/f`, 'x@v1')).error?.code, 'INVALID_ARGUMENT');
    await symlink('../v1', `${bad}/out`);
    assert.equal(await codeOf('x@v1'), 'INVALID_ARGUMENT');
    await run('rm', [`${bad}/out`]);
    await run('mkfifo', [`${bad}/fifo`]);
    assert.equal(await codeOf('x@v1'), 'INVALID_ARGUMENT');
    assert.equal((await lab.subscribe(2, 'nobody', at('nobody'), '--once')).error?.code, 'NOT_FOUND');
    assert.equal((await lab.subscribe(2, 'model', bad, '--once')).error?.code, 'OUTPUT');
    assert.equal((await lab.subscribe(2, 'other', at('m2'), '--once')).error?.code, 'FAILED_PRECONDITION');
    assert.deepEqual(await lab.kept(), kept);
    assert.deepEqual(
      (await readdir(lab.directory.path)).filter((name) => name.startsWith('dragonfly-release-')),
      [],
    );
  });

  test('a directory that somebody writes into is refused', async () => {
    const kept = await lab.kept();
    await run('cp', ['-a', v(1), at('busy')]);
    const writer = execFile('sh', ['-c', 'while :; do date >> config.json; done'], { cwd: at('busy') });
    try {
      const { error } = await lab.publish(1, at('busy'), 'busy@v1');
      assert.equal(error?.code, 'SOURCE_CHANGED');
    } finally {
      writer.kill('SIGKILL');
    }
    assert.deepEqual(await lab.kept(), kept);
  });

  test('names outlive the manager, and what is deleted there is gone from the nodes', async () => {
    await lab.cluster.kill('manager');
    await lab.cluster.restart('manager');
    const path = at('after');
    await waitFor(
      'the manager to be reached',
      async () => (await lab.subscribe(3, 'other', path, '--once')).error === undefined,
    );
    await requireSame(v(9), `${path}/`);
    const kept = await lab.kept();
    await lab.root.ok('DELETE', '/api/v1/releases/other/versions/v9');
    assert.equal((await lab.subscribe(3, 'other', at('gone'), '--once')).error?.code, 'NOT_FOUND');
    assert.equal((await lab.kept()).length, kept.length - 2);
  });
});
