import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { loadSourcePlugins } from '../../src/dfdaemon/source/plugins.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { bytesOf } from './conformance.ts';

/** A protocol whose content is the path of its URL. */
const sample = `
export function createSource() {
  const object = (url) => {
    const content = Buffer.from(new URL(url).pathname.slice(1));
    return { content, contentLengthBytes: content.length, ranges: false, validator: undefined, header: {} };
  };
  return {
    schemes: ['echo'],
    stat: async ({ url }) => object(url),
    open: async ({ url }) => {
      const { content, ...rest } = object(url);
      return { ...rest, startBytes: 0, lengthBytes: content.length, cancel() {}, readTo: async (sink) => sink(content) };
    },
    async *list() {},
  };
}
`;

describe('source plug-ins', () => {
  it('add a protocol', async (t) => {
    await using directory = await temporaryDirectory();
    await writeFile(directory.join('echo.mjs'), sample, { mode: 0o644 });
    await writeFile(directory.join('notes.txt'), 'no module');
    await using sources = new Sources({ logger: silentLogger, plugins: await loadSourcePlugins(directory.path) });
    const body = await sources.open({ url: 'echo://x/hello', header: {}, signal: t.signal });
    assert.equal((await bytesOf(body)).toString(), 'hello');
  });

  it('are refused when they are none, or when others could have written them', async () => {
    for (const text of ['export const x = 1;', 'export const createSource = () => ({});', 'syntax error']) {
      await using directory = await temporaryDirectory();
      await writeFile(directory.join('bad.mjs'), text, { mode: 0o644 });
      await assert.rejects(loadSourcePlugins(directory.path), { code: 'CONFIG_INVALID' }, text);
    }
    await using directory = await temporaryDirectory();
    await writeFile(directory.join('echo.mjs'), sample);
    await chmod(directory.join('echo.mjs'), 0o666);
    await assert.rejects(loadSourcePlugins(directory.path), { code: 'PERMISSION_DENIED' });
    assert.deepEqual(await loadSourcePlugins(directory.join('absent')), []);
  });
});
