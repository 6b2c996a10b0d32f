/** What the executable needs of a system: the libraries it is linked with, taken from Debian's packages, and nothing else. */
import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdir, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { output } from '../executable.ts';
import type { Platform } from '../platforms.ts';
import type { TarEntry } from './tar.ts';

const run = promisify(execFile);
const toolTimeoutMs = 600_000;
const packages = ['ca-certificates', 'libatomic1', 'libc6', 'libgcc-s1', 'libstdc++6'];

export interface BaseSystem {
  readonly entries: readonly TarEntry[];
  /** Of Debian, for the bill of materials. */
  readonly packages: readonly { readonly name: string; readonly version: string }[];
}

/** Nobody in particular; the number that images without a shell agree on. */
export const nonRoot = 65_532;

const users = `root:x:0:0:root:/:/sbin/nologin\ndragonfly:x:${nonRoot}:${nonRoot}:dragonfly:/var/lib/dragonfly:/sbin/nologin\n`;
const groups = `root:x:0:\ndragonfly:x:${nonRoot}:\n`;
/** Of the services that run as nobody in particular; what belongs to the daemon belongs to root. */
const ownDirectories = ['var/lib/dragonfly/manager', 'var/cache/dragonfly/scheduler'];
const rootDirectories = [
  'etc',
  'etc/ssl',
  'etc/ssl/certs',
  'etc/dragonfly',
  'run',
  'var',
  'var/lib',
  'var/cache',
  'var/log',
].concat(['lib', 'cache', 'log'].map((name) => `var/${name}/dragonfly`));

export async function baseSystem(platform: Platform): Promise<BaseSystem> {
  const directory = join(output, 'work', `base-${platform.debian}`);
  const found = await fetchPackages(platform, directory);
  const root = join(directory, 'root');
  await rm(root, { recursive: true, force: true });
  for (const { file } of found) await run('dpkg-deb', ['-x', file, root], { timeout: toolTimeoutMs });
  const folder = (path: string, mode = 0o755, owner = 0): TarEntry => ({
    kind: 'directory',
    path,
    mode,
    uid: owner,
    gid: owner,
  });
  const authorities = globSync('usr/share/ca-certificates/mozilla/*.crt', { cwd: root }).sort();
  const bundle = await Promise.all(authorities.map((path) => readFile(join(root, path), 'utf8')));
  const kept = (await entriesBelow(root)).filter(({ path }) =>
    /^(?:usr\/)?lib(?:64)?\/|^usr\/share\/doc\/[^/]+\/copyright$/.test(path),
  );
  const libraries = kept.filter(({ path }) => !/\/gconv\/|\/audit\/|libc\.musl|\.conf$/.test(path));
  return {
    packages: found.map(({ name, version }) => ({ name, version })),
    entries: [
      ...parents(libraries).map((path) => folder(path)),
      ...libraries,
      ...rootDirectories.map((path) => folder(path)),
      ...ownDirectories.map((path) => folder(path, 0o700, nonRoot)),
      // The old name of /run.
      { kind: 'link', path: 'var/run', target: '/run', mode: 0o777 },
      folder('tmp', 0o1777),
      { kind: 'text', path: 'etc/passwd', text: users, mode: 0o644 },
      { kind: 'text', path: 'etc/group', text: groups, mode: 0o644 },
      { kind: 'text', path: 'etc/nsswitch.conf', text: 'hosts: files dns\n', mode: 0o644 },
      { kind: 'text', path: 'etc/ssl/certs/ca-certificates.crt', text: bundle.join(''), mode: 0o644 },
    ],
  };
}

interface FetchedPackage {
  readonly name: string;
  readonly version: string;
  readonly file: string;
}

/** By apt, for another architecture as well, with a state of its own: nothing changes on this machine. */
async function fetchPackages({ debian }: Platform, directory: string): Promise<FetchedPackage[]> {
  const state = join(directory, 'apt');
  const downloads = join(directory, 'downloads');
  for (const path of [join(state, 'lists/partial'), join(state, 'cache/archives/partial'), downloads])
    await mkdir(path, { recursive: true });
  await writeFile(join(state, 'status'), '');
  const options = [
    `APT::Architecture=${debian}`,
    `APT::Architectures=${debian}`,
    `Dir::State::Lists=${join(state, 'lists')}`,
    `Dir::State::status=${join(state, 'status')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    'APT::Sandbox::User=root',
    'Acquire::Retries=3',
  ].flatMap((option) => ['-o', option]);
  const apt = (...args: string[]) =>
    run('apt-get', [...options, '-qq', ...args], { cwd: downloads, timeout: toolTimeoutMs });
  await apt('update');
  await rm(downloads, { recursive: true, force: true });
  await mkdir(downloads);
  await apt('download', ...packages);
  const files = (await readdir(downloads)).sort().map((name) => join(downloads, name));
  return Promise.all(
    files.map(async (file) => {
      const { stdout } = await run('dpkg-deb', ['-f', file, 'Package', 'Version']);
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(stdout)?.[1] ?? '';
      return { name: field('Package'), version: field('Version'), file };
    }),
  );
}

async function entriesBelow(root: string): Promise<TarEntry[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const wanted = entries.filter((entry) => !entry.isDirectory());
  return Promise.all(
    wanted.map(async (entry): Promise<TarEntry> => {
      const from = join(entry.parentPath, entry.name);
      const path = relative(root, from);
      if (entry.isSymbolicLink()) return { kind: 'link', path, target: await readlink(from), mode: 0o777 };
      return { kind: 'file', path, from, mode: (await stat(from)).mode & 0o777 };
    }),
  );
}

function parents(entries: readonly TarEntry[]): string[] {
  const above = (path: string): string[] => {
    const words = path.split('/').slice(0, -1);
    return words.map((_word, index) => words.slice(0, index + 1).join('/'));
  };
  return [...new Set(entries.flatMap(({ path }) => above(path)))];
}
