/** dfget against a real daemon in a process of its own, and without one. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { createDfget } from '../../src/cli/dfget/dfget.ts';
import { announceLocalCluster } from '../../src/cli/daemon-endpoint.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { grpcMethod } from '../../src/rpc/definition.ts';
import {
  DfdaemonDownloadDefinition,
  type DownloadTaskRequest,
  type DownloadTaskResponse,
} from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { sha256 } from '../source/conformance.ts';
import { startWebHdfs } from '../source/web-hdfs.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { FileOrigin } from './file-origin.ts';
import { startDaemon, type LoneDaemon } from './lone-daemon.ts';
import { runTool, type ToolOptions, type ToolRun } from './tool-io.ts';

const dfget = createDfget(() => Promise.resolve(new Sources({ logger: silentLogger })));
const content = randomBytes(9_000_000); // three pieces
const wrongDigest = `sha256:${sha256(Buffer.from('other'))}`;

describe('dfget', () => {
  let state: TemporaryDirectory;
  let origin: FileOrigin;
  let daemon: LoneDaemon;
  let work: TemporaryDirectory;

  before(async () => {
    state = await temporaryDirectory();
    origin = await FileOrigin.start();
    daemon = await startDaemon(state.path);
  });
  beforeEach(async () => {
    await work?.[Symbol.asyncDispose]();
    work = await temporaryDirectory();
    origin.requests.length = 0;
  });
  after(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
    await work?.[Symbol.asyncDispose]();
    await state?.[Symbol.asyncDispose]();
  });

  const run = (argv: readonly string[], options?: ToolOptions): Promise<ToolRun> =>
    runTool(dfget, ['--endpoint', daemon.socket, ...argv], options);
  const leftBehind = (): Promise<string[]> => readdir(work.path);
  /** Each test has its own object, so that none depends on what another left in the store. */
  let objects = 0;
  const object = (bytes = content): string => origin.put(`object-${(objects += 1)}`, bytes);

  it('has the daemon place the file, and tells where the bytes came from', async () => {
    const url = object();
    const first = await run([url, '-O', work.join('a'), '--receipt=json', '--digest', `sha256:${sha256(content)}`]);
    assert.equal(first.exitCode, 0, first.error?.message);
    assert.ok((await readFile(work.join('a'))).equals(content));
    assert.deepEqual(await leftBehind(), ['a']);
    const receipt = JSON.parse(first.stdout.toString()) as Record<string, unknown>;
    assert.equal(receipt['bytesFromOrigin'], content.length);
    assert.equal(receipt['originRequests'], 1);
    const second = await run([url, '-O', work.join('b'), '--receipt']);
    assert.match(second.stdout.toString(), /100 %\s+already on this node/);
    assert.ok((await readFile(work.join('b'))).equals(content));
    assert.equal(origin.requests.length, 1, 'the origin was asked once');
  });

  it('writes the file itself when told to, with the rights the caller would give it', async () => {
    const before = process.umask(0o027);
    try {
      const { exitCode } = await run([object(), '-O', work.join('a'), '--transfer-from-dfdaemon']);
      assert.equal(exitCode, 0);
    } finally {
      process.umask(before);
    }
    const { mode, nlink, uid } = await stat(work.join('a'));
    assert.deepEqual([mode & 0o777, nlink, uid], [0o640, 1, process.geteuid?.()]);
    assert.ok((await readFile(work.join('a'))).equals(content));
  });

  it('writes to standard output, and nothing else there', async () => {
    const { stdout, exitCode } = await run([object(), '-O', '-', '--receipt']);
    assert.equal(exitCode, 0);
    assert.ok(stdout.equals(content));
  });

  it('downloads a range, by itself or at its own place', async () => {
    const url = object();
    for (const [range, first, end] of [
      ['0-9', 0, 10],
      ['4194300-4194310', 4194300, 4194311],
      ['8999990-', 8_999_990, 9_000_000],
      ['8999990-99999999', 8_999_990, 9_000_000],
    ] as const) {
      const { exitCode, error } = await run([url, '-O', work.join('part'), '--overwrite', '--range', range]);
      assert.equal(exitCode, 0, error?.message);
      assert.ok((await readFile(work.join('part'))).equals(content.subarray(first, end)), range);
    }
    await run([url, '-O', work.join('placed'), '--range', '10-19', '--original-offset']);
    const placed = await readFile(work.join('placed'));
    assert.equal(placed.length, 20);
    assert.ok(placed.subarray(10).equals(content.subarray(10, 20)));
    const behind = await run([url, '-O', work.join('none'), '--range', '9000000-']);
    assert.equal(behind.error?.code, 'RANGE_NOT_SATISFIABLE');
  });

  for (const [name, ...flags] of [
    ['placed by the daemon'],
    ['written here', '--transfer-from-dfdaemon'],
    ['without a daemon', '--endpoint', '/nonexistent.sock'],
  ] as const) {
    it(`verifies the digest, ${name}, also of what the daemon held before`, async () => {
      const url = object();
      for (let round = 0; round < 2; round += 1) {
        const wrong = await run([url, '-O', work.join('a'), '--digest', wrongDigest, ...flags]);
        assert.equal(wrong.exitCode, 4, wrong.error?.message ?? 'no error');
        assert.deepEqual(await leftBehind(), []);
        for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
          const digest = `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;
          const right = await run([url, '-O', work.join('a'), '--overwrite', '--digest', digest, ...flags]);
          assert.equal(right.exitCode, 0, right.error?.message);
        }
        await rm(work.join('a'));
      }
    });
  }

  it('writes into FIFOs and devices and through links, whoever writes', async () => {
    const [fifo, link, socket] = [work.join('fifo'), work.join('link'), work.join('socket')];
    execFileSync('mkfifo', [fifo]);
    await symlink('target', link);
    const server = createServer().listen(socket);
    await once(server, 'listening');
    for (const flags of [[], ['--transfer-from-dfdaemon'], ['--endpoint', '/nonexistent.sock']]) {
      const url = object();
      const read = createReadStream(fifo).toArray();
      const piped = await run([url, '-O', fifo, '--digest', `sha256:${sha256(content)}`, ...flags]);
      assert.equal(piped.exitCode, 0, piped.error?.message);
      assert.ok(Buffer.concat((await read) as Buffer[]).equals(content));
      assert.ok((await lstat(fifo)).isFIFO());
      assert.equal((await run([url, '-O', fifo, '--timeout', '100ms', ...flags])).error?.code, 'DEADLINE_EXCEEDED');
      assert.equal((await run([url, '-O', socket, '--overwrite', ...flags])).error?.code, 'OUTPUT');
      const linked = await run([url, '-O', link, '--overwrite', ...flags]);
      assert.equal(linked.exitCode, 0, linked.error?.message);
      assert.ok((await lstat(link)).isSymbolicLink());
      assert.ok((await readFile(work.join('target'))).equals(content));
      if (process.geteuid?.() !== 0) continue;
      if (!existsSync(work.join('null'))) execFileSync('mknod', [work.join('null'), 'c', '1', '3']);
      const device = await run([url, '-O', work.join('null'), '--overwrite', ...flags]);
      assert.equal(device.exitCode, 0, device.error?.message);
      assert.ok((await lstat(work.join('null'))).isCharacterDevice());
    }
    server.close();
  });

  it('keeps the end of a wrong content from standard output', async () => {
    const url = object();
    for (const flags of [[], ['--endpoint', '/nonexistent.sock']]) {
      const { stdout, error } = await run([url, '-O', '-', '--digest', wrongDigest, ...flags]);
      assert.ok(error);
      assert.ok(stdout.length < content.length);
    }
  });

  it('says in one sentence what is wrong, with a hint and its exit code, and leaves nothing behind', async () => {
    await writeFile(work.join('there'), 'mine');
    const cases: readonly [readonly string[], number, RegExp][] = [
      [[`${origin.url}/missing`, '-O', work.join('a')], 3, /404 Not Found/],
      [[`${origin.url}/private`, '-O', work.join('a')], 3, /403 Forbidden/],
      [['http://no-such-host.invalid/x', '-O', work.join('a')], 6, /host name is unknown/],
      [['http:/\\', '-O', work.join('a')], 2, /not a URL/],
      [['gopher://host/x', '-O', work.join('a')], 2, /scheme "gopher"/],
      [[object()], 2, /output is missing/],
      [[object(), '-O', work.join('a'), '--digest', 'sha256:beef'], 2, /digest/],
      [[object(), '-O', work.join('there')], 5, /exists/],
      [[object(), '-O', work.path], 5, /is a directory/],
      [[object(), '-O', work.join('no/such/a')], 5, /does not exist/],
      [[object(), '-O', '/proc/a'], 5, /cannot be written/],
      [[object(), '-O', work.join('a'), '--nonsense'], 2, /--nonsense/],
    ];
    for (const [argv, exitCode, sentence] of cases) {
      const result = await run(argv);
      assert.match(result.error?.message ?? 'no error', sentence);
      assert.equal(result.exitCode, exitCode, result.error?.message);
      assert.equal(result.error?.message.includes('\n'), false);
      assert.equal(result.stdout.length, 0);
    }
    assert.deepEqual(await leftBehind(), ['there']);
    assert.equal(await readFile(work.join('there'), 'utf8'), 'mine');
    assert.equal((await run([object(), '-O', work.join('a')])).exitCode, 0, 'the daemon is unharmed');
  });

  it(
    'reports a full disk',
    { skip: process.getuid?.() !== 0 && 'only root may mount a small file system' },
    async () => {
      await mkdir(work.join('small'));
      assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', work.join('small')]).status, 0);
      try {
        for (const flags of [[], ['--transfer-from-dfdaemon'], ['--endpoint', '/nonexistent.sock']]) {
          const { error, exitCode } = await run([object(), '-O', work.join('small/a'), ...flags]);
          assert.equal(error?.code, 'NO_SPACE', error?.message);
          assert.equal(exitCode, 5);
          assert.ok(error?.hint);
          assert.deepEqual(await readdir(work.join('small')), []);
        }
      } finally {
        spawnSync('umount', [work.join('small')]);
      }
    },
  );

  for (const flags of [[], ['--transfer-from-dfdaemon'], ['--endpoint', '/nonexistent.sock']]) {
    it(`ends the download when it is cancelled ${flags.join(' ')}`, async () => {
      const url = object().replace(/\/object/, '/stuck/object');
      const controller = new AbortController();
      const running = run([url, '-O', work.join('a'), ...flags], { signal: controller.signal });
      await waitFor('the origin to be asked', () => origin.requests.length > 0);
      controller.abort();
      const { exitCode, error } = await running;
      assert.equal(exitCode, 130);
      assert.match(error?.message ?? '', /cancelled/);
      assert.deepEqual(await leftBehind(), []);
      await origin.stuckClosed();
    });
  }

  it('ends at its deadline', async () => {
    const url = object().replace(/\/object/, '/stuck/object');
    const { error } = await run([url, '-O', work.join('a'), '--timeout', '300ms']);
    assert.equal(error?.code, 'DEADLINE_EXCEEDED', error?.message);
    assert.deepEqual(await leftBehind(), []);
  });

  it('shows progress on a terminal only', async () => {
    const onTerminal = await run([object(), '-O', work.join('a')], { terminal: true });
    assert.match(onTerminal.stderr, /100 %.*8\.6 MiB \/ 8\.6 MiB.*\/s/);
    assert.equal((await run([object(), '-O', work.join('b')])).stderr, '');
    assert.equal((await run([object(), '-O', work.join('c'), '--no-progress'], { terminal: true })).stderr, '');
  });

  it('sends the header to the origin, and settings come from the environment', async () => {
    await run([object(), '-O', work.join('a'), '-H', 'X-Test: a: b', '--header', 'authorization: Bearer x']);
    assert.equal(origin.requests[0]?.header['x-test'], 'a: b');
    assert.equal(origin.requests[0]?.header['authorization'], 'Bearer x');
    const url = object();
    await writeFile(work.join('b'), 'old');
    const env = { DFGET_OVERWRITE: 'true', DFGET_ENDPOINT: daemon.socket };
    assert.equal((await runTool(dfget, [url, '-O', work.join('b')], { env })).exitCode, 0);
  });

  it('downloads a directory with all below it, and leaves no partial file when one fails', async () => {
    const hdfs = await startWebHdfs();
    try {
      const files = Object.fromEntries(
        Array.from({ length: 120 }, (_, index) => [`d${index % 7}/f ${index}`, randomBytes(index * 97)]),
      );
      assert.ok(hdfs.directory);
      const url = (await hdfs.directory(files)).replace(/\/$/, '');
      const flags = ['--recursive', '--hdfs-delegation-token', 'token', '-O', work.join('out')];
      const few = await run([url, ...flags]);
      assert.equal(few.error?.code, 'RESOURCE_EXHAUSTED');
      assert.match(few.error?.hint ?? '', /--max-files/);
      const listed = await run([url, ...flags, '--max-files', '200', '--list', '-I', 'd1/']);
      assert.equal(listed.stdout.toString().trim().split('\n').length, 17);
      for (const more of [[], ['--endpoint', '/nonexistent.sock', '--overwrite']]) {
        const all = await run([url, ...flags, '--max-files', '200', ...more]);
        assert.equal(all.exitCode, 0, all.error?.message);
        for (const [name, bytes] of Object.entries(files)) {
          assert.ok((await readFile(work.join('out', name))).equals(bytes), name);
        }
      }
      await rm(work.join('out', 'd1', 'f 1'));
      const refused = await run([url, ...flags, '--max-files', '200']);
      assert.equal(refused.error?.code, 'OUTPUT', 'files that stand there are kept');
      const names = await readdir(work.join('out'), { recursive: true });
      assert.deepEqual(
        names.filter((name) => name.endsWith('.part')),
        [],
      );
    } finally {
      await hdfs.close();
    }
  });

  it('finds the daemon of the cluster that runs for this user, and trusts no note others could write', async () => {
    const env = { XDG_RUNTIME_DIR: work.path };
    const argv = [object(), '-O', work.join('a'), '--overwrite'];
    const refusing = [...argv, '--disable-back-to-source'];
    const notes = work.join(`dragonfly-${process.geteuid?.()}`);
    {
      await using _note = await announceLocalCluster(daemon.socket, env);
      const found = await runTool(dfget, argv, { env });
      assert.deepEqual([found.exitCode, found.stderr], [0, '']);
      await chmod(notes, 0o777);
      assert.equal((await runTool(dfget, refusing, { env })).error?.code, 'DAEMON_UNREACHABLE');
      await chmod(notes, 0o700);
    }
    assert.equal((await runTool(dfget, refusing, { env })).error?.code, 'DAEMON_UNREACHABLE');
  });

  it('goes to the origin by itself without a daemon, says so, and can be told not to', async () => {
    const argv = [object(), '-O', work.join('a'), '--endpoint', '/nonexistent.sock'];
    const refused = await runTool(dfget, [...argv, '--disable-back-to-source']);
    assert.equal(refused.error?.code, 'DAEMON_UNREACHABLE');
    assert.equal(refused.exitCode, 6);
    const { exitCode, stderr } = await runTool(dfget, argv);
    assert.equal(exitCode, 0);
    assert.match(stderr, /from the origin instead/);
    assert.ok((await readFile(work.join('a'))).equals(content));
  });

  it('does not go to the origin in place of a daemon that may not', async () => {
    await using home = await temporaryDirectory();
    const scheduler = { netAddrs: [{ addr: '127.0.0.1:1' }], scheduleTimeout: '1s', disableAutoBackSource: true };
    await using forbidden = await startDaemon(home.path, scheduler);
    const asked = origin.requests.length;
    const { error, exitCode } = await runTool(dfget, [object(), '-O', work.join('a'), '--endpoint', forbidden.socket]);
    assert.equal(error?.code, 'DEADLINE_EXCEEDED', error?.message);
    assert.match(error?.message ?? '', /neither a scheduler nor another node/);
    assert.equal(exitCode, 6);
    assert.equal(origin.requests.length, asked);
    assert.deepEqual(await leftBehind(), []);
  });

  it('goes on from the origin when the daemon dies under way', async () => {
    await using home = await temporaryDirectory();
    await using mortal = await startDaemon(home.path);
    const url = object().replace(/\/object/, '/stuck/object');
    const running = runTool(dfget, [url, '-O', work.join('a'), '--endpoint', mortal.socket]);
    await waitFor('the origin to be asked', () => origin.requests.length > 0);
    origin.unstick();
    mortal.process.kill('SIGKILL');
    const { exitCode, error, stderr } = await running;
    assert.equal(exitCode, 0, error?.message);
    assert.match(stderr, /from the origin instead/);
    assert.ok((await readFile(work.join('a'))).equals(content));
  });

  it('leaves no wrong file of a daemon of the original, and does not fetch it again', async () => {
    // As seen of the original: the file is placed, then the content is compared, and the cause is in the words alone.
    const { downloadTask } = DfdaemonDownloadDefinition.methods;
    const server = new Server();
    server.addService(
      { downloadTask: grpcMethod(DfdaemonDownloadDefinition, downloadTask) },
      {
        downloadTask: (call: ServerWritableStream<DownloadTaskRequest, DownloadTaskResponse>) => {
          writeFileSync(call.request.download?.outputPath ?? '', content);
          const details = `digest mismatch expected: ${wrongDigest}, actual: sha256:${sha256(content)}`;
          call.emit('error', { code: 13, details });
        },
      },
    );
    await promisify(server.bindAsync.bind(server))(
      `unix:${work.join('original.sock')}`,
      ServerCredentials.createInsecure(),
    );
    using _server = { [Symbol.dispose]: () => server.forceShutdown() };
    const url = object();
    const argv = [url, '-O', work.join('a'), '--endpoint', work.join('original.sock'), '--digest', wrongDigest];
    const { error } = await runTool(dfget, argv);
    assert.equal(error?.code, 'DIGEST_MISMATCH', error?.message);
    assert.ok(!existsSync(work.join('a')));
    assert.deepEqual(origin.requests, []);
  });
});
