// needs: nginx
/** What a user gets to see when something is wrong: one sentence with a hint, the right exit code, nothing left behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { sha256OfFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { productCommand } from '../support/product.ts';
import { TestCluster, type OriginFile } from '../support/test-cluster.ts';

async function run(program: string, args: readonly string[], command: readonly string[] = []) {
  const [first = '', ...rest] = [...command, ...productCommand(program), ...args];
  const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

/** One sentence that matches, a hint, no stack trace. */
function assertExplained(stderr: string, sentence: RegExp): void {
  assert.match(stderr, sentence);
  assert.match(stderr, /^hint: \S/m);
  assert.doesNotMatch(stderr, /^\s+at /m);
}

describe('dfget with a daemon', () => {
  let system: TestCluster;
  let file: OriginFile;
  let socket: string;
  let outputs: string;
  let count = 0;
  before(async () => {
    system = await TestCluster.start({ peers: 1 });
    file = await system.file('f.bin', 9 * 2 ** 20);
    socket = system.cluster.peers[0]?.socket ?? '';
  });
  beforeEach(async () => {
    outputs = system.directory.join(`out-${(count += 1)}`);
    await mkdir(outputs);
  });
  after(() => system[Symbol.asyncDispose]());

  const get = (url: string, ...args: string[]) =>
    run('dfget', ['--endpoint', socket, '--timeout', '200s', '-O', `${outputs}/f`, url, ...args]);

  async function assertUnharmed(): Promise<void> {
    assert.deepEqual(await readdir(outputs), [], 'nothing is left behind');
    const { status, stderr } = await get(file.url);
    assert.equal(status, 0, stderr);
    assert.equal(await sha256OfFile(`${outputs}/f`), file.sha256);
  }

  const refusals: readonly [path: string, exit: number, sentence: RegExp][] = [
    ['/status/404/x', 3, /404/],
    ['/status/403/x', 3, /403/],
    ['/status/410/x', 3, /410/],
    ['/status/503/x', 3, /503/],
    ['/drop', 6, /\S/],
  ];
  for (const [path, exit, sentence] of refusals) {
    test(`the origin answers ${path}`, async () => {
      const { status, stderr } = await get(`${system.origin.url}${path}`);
      assert.equal(status, exit, stderr);
      assertExplained(stderr, sentence);
      await assertUnharmed();
    });
  }

  test('a host that does not exist', async () => {
    const { status, stderr } = await get('http://no-such-host.invalid/f.bin');
    assert.equal(status, 6, stderr);
    assertExplained(stderr, /no-such-host\.invalid/);
    await assertUnharmed();
  });

  test('a URL that is none, and a scheme that nobody speaks', async () => {
    for (const url of ['not a url', 'gopher://host/f']) {
      const { status, stderr } = await get(url);
      assert.equal(status, 2, stderr);
      assertExplained(stderr, /not a url|gopher/);
    }
    await assertUnharmed();
  });

  test('a digest that is wrong, and one that is none', async () => {
    const other = await system.file('other.bin', 5 * 2 ** 20);
    const wrong = await get(other.url, '--digest', `sha256:${'0'.repeat(64)}`);
    assert.equal(wrong.status, 4, wrong.stderr);
    assertExplained(wrong.stderr, /digest/i);
    const none = await get(other.url, '--digest', 'sha256:short');
    assert.equal(none.status, 2, none.stderr);
    await assertUnharmed();
  });

  test('the right digest, also when the content is there already', async () => {
    for (const name of ['a', 'b']) {
      const path = `${outputs}/${name}`;
      const args = ['--endpoint', socket, '-O', path, file.url, '--digest', `sha256:${file.sha256}`];
      const { status, stderr } = await run('dfget', args);
      assert.equal(status, 0, stderr);
      assert.equal(await sha256OfFile(path), file.sha256);
    }
  });

  test('an output that exists, or whose directory does not', async () => {
    await writeFile(`${outputs}/there`, 'precious');
    const exists = await run('dfget', ['--endpoint', socket, '-O', `${outputs}/there`, file.url]);
    assert.notEqual(exists.status, 0);
    assertExplained(exists.stderr, /there/);
    const nowhere = await run('dfget', ['--endpoint', socket, '-O', `${outputs}/no/such/f`, file.url]);
    assert.notEqual(nowhere.status, 0);
    assertExplained(nowhere.stderr, /no\/such/);
    assert.deepEqual(await readdir(outputs), ['there']);
  });

  test('an output without the right to write it', { skip: process.getuid?.() !== 0 && 'needs root' }, async () => {
    await chmod(outputs, 0o755);
    await chmod(system.directory.path, 0o755);
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const { status, stderr } = await run('dfget', ['--endpoint', socket, '-O', `${outputs}/f`, file.url], nobody);
    assert.notEqual(status, 0);
    assertExplained(stderr, /\S/);
    assert.deepEqual(await readdir(outputs), []);
  });

  test('standard output carries the content and nothing else', async () => {
    const small = await system.file('small.bin', 100);
    const { stdout, status } = await run('dfget', ['--endpoint', socket, '-O', '-', small.url]);
    assert.equal(status, 0);
    assert.ok(stdout.length > 0);
  });
});

describe('services with a configuration that is none', () => {
  for (const program of ['manager', 'scheduler', 'dfdaemon']) {
    test(program, async () => {
      await using directory = await temporaryDirectory();
      const path = directory.join('garbage.yaml');
      await writeFile(path, 'server: {a: [1, 2\n\tb: "');
      const garbage = await run(program, ['--config', path]);
      assert.equal(garbage.status, 2, garbage.stderr);
      assertExplained(garbage.stderr, /garbage\.yaml:\d+/);
      const missing = await run(program, ['--config', directory.join('missing.yaml')]);
      assert.equal(missing.status, 2, missing.stderr);
      assertExplained(missing.stderr, /missing\.yaml/);
    });
  }
});
