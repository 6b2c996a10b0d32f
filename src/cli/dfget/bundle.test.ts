import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { makeBundle } from '../../core/bundle/bundle.ts';
import { crc32 } from '../../core/crc32.ts';
import { downloadBundle } from './bundle.ts';
import type { DaemonClient, FileDownload } from './download.ts';

const fileBytes = 1000;
const ignore: (index: number) => void = () => undefined;

describe('a bundle that the daemon gives', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dfget-bundle-'));
  after(() => rmSync(directory, { recursive: true }));
  let rounds = 0;

  /** Downloads a bundle of so many files, of which the daemon gives these parts. Returns what was written. */
  async function download(
    count: number,
    parts: readonly (readonly [offset: number, length: number])[],
    { readsStore = false, signal = new AbortController().signal, onFile = ignore } = {},
  ): Promise<string[]> {
    rounds += 1;
    const content = Buffer.alloc(count * fileBytes, 'x');
    const contentFile = join(directory, `.store-${rounds}`);
    writeFileSync(contentFile, content);
    const files = Array.from({ length: count }, (_, number) => {
      content.fill(number % 251, number * fileBytes, (number + 1) * fileBytes);
      return { path: `r${rounds}f${number}`, lengthBytes: fileBytes, validator: '"1"' };
    });
    writeFileSync(contentFile, content);
    const client = {
      async *downloadTask() {
        const told = { contentLength: content.length, contentFile };
        yield { taskId: 't', response: { $case: 'downloadTaskStartedResponse', value: told } };
        for (const [offset, length] of parts) {
          const bytes = content.subarray(offset, offset + length);
          const piece = { number: offset, offset, length, content: bytes, digest: `crc32:${crc32(bytes)}` };
          yield { taskId: 't', response: { $case: 'downloadPieceFinishedResponse', value: { piece, more: [] } } };
        }
      },
    };
    const asked = {
      url: 'http://host/dir/',
      options: { header: {}, filteredQueryParams: [] },
      progress: { expect: () => undefined, advance: () => undefined },
      signal,
    };
    const work = { bundle: makeBundle(files), paths: files.map(({ path }) => join(directory, path)) };
    await downloadBundle(client as unknown as DaemonClient, asked as unknown as FileDownload, {
      work,
      directory,
      readsStore,
      overwrite: false,
      openSink: () => Promise.reject(new Error('nothing stands there')),
      onFile,
    });
    for (const [index, path] of work.paths.entries())
      assert.ok(readFileSync(path).equals(content.subarray(index * fileBytes, (index + 1) * fileBytes)), path);
    return work.paths;
  }

  it('is taken apart, and nothing of it stays open', async () => {
    for (const readsStore of [false, true]) {
      const written = await download(
        20,
        [
          [10_000, 10_000],
          [0, 10_000],
          [0, 10_000],
        ],
        { readsStore },
      );
      assert.equal(written.length, 20);
    }
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return []; // the one that listed them
      }
    });
    assert.deepEqual(
      open.filter((path) => path.startsWith(directory)),
      [],
    );
  });

  it('is not taken apart when some of it has not come', async () => {
    const gaps: [number, number][][] = [
      [],
      [[0, 19_999]],
      [[1, 19_999]],
      [
        [0, 5000],
        [10_000, 10_000],
      ],
      [
        [0, 15_000],
        [10_000, 10_000],
      ],
    ];
    for (const readsStore of [false, true])
      for (const parts of gaps) {
        const written: number[] = [];
        const onFile = (index: number): void => void written.push(index);
        await assert.rejects(download(20, parts, { readsStore, onFile }), { code: 'PROTOCOL' });
        assert.deepEqual(written, []);
      }
  });

  it('is taken apart no further once nobody wants it, and lets others run meanwhile', async () => {
    for (const readsStore of [false, true]) {
      const stop = new AbortController();
      const written: number[] = [];
      const onFile = (index: number): void => {
        written.push(index);
        // heard only if taking apart lets anything else run
        if (index === 10) setImmediate(() => stop.abort(new Error('stopped')));
      };
      const taken = download(500, [[0, 500_000]], { readsStore, signal: stop.signal, onFile });
      await assert.rejects(taken, /stopped/);
      assert.ok(written.length < 100, `${written.length} files were written`);
    }
  });
});
