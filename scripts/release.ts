/**
 * Everything of a release in dist/release: `npm run release`, or `npm run release -- x64` for one machine.
 * Executables, packages, images, the packages for npm and for Python, chart, compose files, bills of materials, and SHA256SUMS over all of it. The same commit
 * gives the same bytes. With DRAGONFLY_RELEASE_KEY, the path of an OpenSSH key, the sums are signed.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { buildConsole } from './build-console.ts';
import { root, shown } from './package/bundle.ts';
import { buildExecutable, output } from './package/executable.ts';
import { buildImages } from './package/image/image.ts';
import { platforms } from './package/platforms.ts';
import { sourceArchive } from './package/source-archive.ts';
import { releaseVersion, sourceDate } from './package/release-facts.ts';
import { sbom } from './package/sbom.ts';
import { buildWheel } from './package/wheel.ts';
import { buildSystemPackages } from './package/system-packages.ts';

const run = promisify(execFile);
const toolTimeoutMs = 600_000;
const wanted = process.argv.slice(2);
const chosen = platforms.filter(({ arch }) => wanted.length === 0 || wanted.includes(arch));
const directory = join(output, 'release');
const version = await releaseVersion();
const say = (text: string): void => void process.stdout.write(`${text}\n`);

await requireCommittedTree();
await rm(directory, { recursive: true, force: true });
await mkdir(directory, { recursive: true });
await buildConsole();
for (const platform of chosen) {
  const files = [await buildExecutable(platform), ...(await buildSystemPackages(platform))];
  for (const file of files) await copyFile(file, join(directory, basename(file)));
  const bill = join(directory, `dragonfly-${version}-linux-${platform.debian}.spdx.json`);
  await writeFile(bill, `${JSON.stringify(await sbom(platform), null, 2)}\n`);
}
const [layout = '', ...archives] = await buildImages(chosen);
for (const file of archives) await copyFile(file, join(directory, basename(file)));
await sourceArchive(layout, `dragonfly-image-${version}.oci`, join(directory, `dragonfly-image-${version}.oci.tar`));
await sourceArchive(join(root, 'deploy/chart'), 'dragonfly', join(directory, `dragonfly-chart-${version}.tgz`));
await sourceArchive(
  join(root, 'deploy/compose'),
  `dragonfly-compose-${version}`,
  join(directory, `dragonfly-compose-${version}.tgz`),
);
await buildWheel(directory);
const npm = process.env['npm_execpath'];
const [program, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm];
await run(program ?? 'npm', [...first, 'pack', '--pack-destination', directory], {
  cwd: root,
  timeout: toolTimeoutMs,
  env: { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()) },
});
await writeSums();
say(`${shown(directory)}: ${(await readdir(directory)).length} files`);

/** What is built is what the commit says. */
async function requireCommittedTree(): Promise<void> {
  const { stdout } = await run('git', ['status', '--porcelain'], { cwd: root });
  if (stdout !== '') throw new Error(`the tree differs from its commit:\n${stdout}`);
}

async function writeSums(): Promise<void> {
  const names = (await readdir(directory)).sort();
  const lines: string[] = [];
  for (const name of names) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(directory, name))) hash.update(chunk as Buffer);
    lines.push(`${hash.digest('hex')}  ${name}`);
  }
  const sums = join(directory, 'SHA256SUMS');
  await writeFile(sums, `${lines.join('\n')}\n`);
  say(lines.join('\n'));
  const key = process.env['DRAGONFLY_RELEASE_KEY'];
  if (key === undefined) return;
  await run('ssh-keygen', ['-Y', 'sign', '-q', '-n', 'dragonfly-release', '-f', key, sums], { timeout: toolTimeoutMs });
}
