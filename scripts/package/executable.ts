/** One executable per platform: a Node without its symbols, with the bundle, the console and the native libraries inside. */
import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { bundle, root, shown } from './bundle.ts';
import { platforms, type Platform } from './platforms.ts';
import { lockedPackage, registryPackage } from './registry-package.ts';

const run = promisify(execFile);
export const output = join(root, 'dist');
const toolTimeoutMs = 300_000;

/** GNU strip for the machine; the one of the host where both are the same. */
function stripProgram({ arch, machine }: Platform): string {
  return process.arch === arch ? 'strip' : `${machine}-linux-gnu-strip`;
}

/** Path of the executable in dist/. The console has been built before. */
export async function buildExecutable(platform: Platform): Promise<string> {
  const work = join(output, 'work', platform.arch);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  const bundled = join(work, 'lib');
  await bundle(bundled, { embed: true });
  const stripped = await strippedNode(platform, work);
  const file = join(output, `dragonfly-linux-${platform.debian}`);
  const config = {
    // Part of what comes out, so that it must not tell where this was built.
    main: relative(work, join(bundled, 'executable.js')),
    mainFormat: 'module',
    executable: stripped,
    output: join(work, 'dragonfly'),
    disableExperimentalSEAWarning: true,
    execArgv: ['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0123'],
    // `--node-options=…` on the command line: services start themselves with their own.
    execArgvExtension: 'cli',
    assets: await assets(platform, bundled),
  };
  await writeFile(join(work, 'config.json'), JSON.stringify(config, null, 2));
  await run(await builder(), ['--build-sea', join(work, 'config.json')], { cwd: work, timeout: toolTimeoutMs });
  await chmod(config.output, 0o755);
  // In its place at once: the one before may be running.
  await rename(config.output, file);
  return file;
}

/** The Node of this machine, as old as the one inside: it writes the format that the other reads. */
async function builder(): Promise<string> {
  const host = platforms.find(({ arch }) => arch === process.arch);
  if (!host) throw new Error(`executables are built on x64 and arm64, not on ${process.arch}`);
  return join(await registryPackage(host.node), 'bin/node');
}

async function strippedNode(platform: Platform, work: string): Promise<string> {
  const stripped = join(work, 'node');
  const program = stripProgram(platform);
  try {
    const node = join(await registryPackage(platform.node), 'bin/node');
    await run(program, ['--strip-all', '-o', stripped, node], { timeout: toolTimeoutMs });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      `${program} is not installed; Debian has it in binutils, or binutils-${platform.machine}-linux-gnu`,
      {
        cause: error,
      },
    );
  }
  return stripped;
}

/** Name inside → path here, in order. */
async function assets(platform: Platform, bundled: string): Promise<Record<string, string>> {
  const console = join(root, 'console/dist');
  const files = { ...below('console/dist', console), ...below('lib', bundled) };
  if (!('console/dist/index.html' in files)) throw new Error(`${shown(console)} has not been built`);
  for (const name of platform.nativePackages) {
    const directory = await registryPackage(await lockedPackage(name));
    const [library, ...others] = globSync(['*.node', 'linux_*/*.node'], { cwd: directory });
    if (library === undefined || others.length > 0) throw new Error(`${name} has not one native library`);
    files[`native/${/\/([\w-]+?)-linux/.exec(name)?.[1] ?? name}.node`] = join(directory, library);
  }
  return Object.fromEntries(Object.entries(files).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function below(name: string, directory: string): Record<string, string> {
  const entries = globSync('**/*', { cwd: directory, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [join(name, relative(directory, path)), path]));
}
