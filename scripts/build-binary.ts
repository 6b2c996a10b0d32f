/**
 * The product as one executable per platform in dist/: `npm run build:binary`, or `npm run build:binary -- x64`.
 * The same commit gives the same bytes, whoever builds it.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { formatBytes } from '../src/core/units.ts';
import { buildConsole } from './build-console.ts';
import { shown } from './package/bundle.ts';
import { buildExecutable } from './package/executable.ts';
import { platforms } from './package/platforms.ts';

const wanted = process.argv.slice(2);
await buildConsole();
for (const platform of platforms.filter(({ arch }) => wanted.length === 0 || wanted.includes(arch))) {
  const file = await buildExecutable(platform);
  const bytes = await readFile(file);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const compressed = (await promisify(gzip)(bytes)).length;
  process.stdout.write(
    `${shown(file)}  ${formatBytes(bytes.length)}, ${formatBytes(compressed)} compressed  sha256:${digest}\n`,
  );
}
