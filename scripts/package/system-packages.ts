/** The executable as packages for systems: .deb, .rpm, and a tar archive for all others. */
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { root } from './bundle.ts';
import { output } from './executable.ts';
import { configurationFiles, writeInstallTree } from './install-tree.ts';
import { releaseVersion, sourceDate } from './release-facts.ts';
import type { Platform } from './platforms.ts';

const run = promisify(execFile);
const toolTimeoutMs = 1_800_000;
const scripts = join(root, 'deploy/packages');
const summary = 'P2P distribution of container images, files and AI models';
const description =
  'Nodes that want the same bytes at the same moment give each other pieces; one fetches them from the origin. The programs of the manager, the scheduler, the daemon of each node and its tools in one executable.';
const maintainer = 'Dragonfly Maintainers <dragonfly-maintainers@googlegroups.com>';
/** What the Node inside needs of the C library. */
const leastLibc = '2.28';

/** Paths of the packages in dist/, made of the executable there. */
export async function buildSystemPackages(platform: Platform): Promise<string[]> {
  const work = join(output, 'work', `packages-${platform.debian}`);
  const tree = join(work, 'root');
  await writeInstallTree(tree, platform, join(output, `dragonfly-linux-${platform.debian}`));
  return [
    await debianPackage(platform, tree, work),
    await rpmPackage(platform, tree, work),
    await archive(platform, tree, work),
  ];
}

/** Throws with the name of the Debian package where the tool is not installed. */
async function tool(program: string, args: readonly string[], debian: string, cwd?: string): Promise<void> {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()), LC_ALL: 'C', TZ: 'UTC' };
  try {
    await run(program, args, { cwd, env, timeout: toolTimeoutMs, maxBuffer: 2 ** 26 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`${program} is not installed; Debian has it in ${debian}`, { cause: error });
  }
}

async function debianPackage({ debian }: Platform, tree: string, work: string): Promise<string> {
  const version = await releaseVersion();
  const directory = join(work, 'deb');
  await rm(directory, { recursive: true, force: true });
  await cp(tree, directory, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  const control = join(directory, 'DEBIAN');
  await mkdir(control);
  const { size } = await sizeOf(tree);
  await writeFile(
    join(control, 'control'),
    [
      'Package: dragonfly',
      `Version: ${version}`,
      `Architecture: ${debian}`,
      `Maintainer: ${maintainer}`,
      `Installed-Size: ${Math.ceil(size / 1024)}`,
      `Depends: libc6 (>= ${leastLibc}), libgcc-s1, libstdc++6, libatomic1, passwd, ca-certificates`,
      'Recommends: systemd',
      'Section: net',
      'Priority: optional',
      'Homepage: https://d7y.io',
      `Description: ${summary}`,
      ...folded(description, 76).map((line) => ` ${line}`),
      '',
    ].join('\n'),
  );
  await writeFile(join(control, 'conffiles'), configurationFiles.map((path) => `/${path}\n`).join(''));
  for (const name of ['postinst', 'prerm', 'postrm']) {
    await cp(join(scripts, 'debian', name), join(control, name));
    await chmod(join(control, name), 0o755);
  }
  await cp(join(scripts, 'debian/copyright'), join(directory, 'usr/share/doc/dragonfly/copyright'));
  await chmod(join(directory, 'usr/share/doc/dragonfly/copyright'), 0o644);
  // Dpkg's own form of it, which tools of Debian look for.
  const date = new Date(sourceDate() * 1000).toUTCString().replace('GMT', '+0000');
  const changes = `dragonfly (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${maintainer}  ${date}\n`;
  await writeFile(join(directory, 'usr/share/doc/dragonfly/changelog.gz'), gzipSync(changes, { level: 9 }), {
    mode: 0o644,
  });
  const file = join(output, `dragonfly_${version}_${debian}.deb`);
  // One thread: what several make depends on how many there are.
  const compression = ['-Zxz', '-z3', '--threads-max=1'];
  await tool('dpkg-deb', ['--root-owner-group', ...compression, '--build', directory, file], 'dpkg');
  return file;
}

async function rpmPackage({ machine }: Platform, tree: string, work: string): Promise<string> {
  const version = await releaseVersion();
  const top = join(work, 'rpm');
  await rm(top, { recursive: true, force: true });
  await mkdir(join(top, 'out'), { recursive: true });
  const spec = join(top, 'dragonfly.spec');
  await writeFile(spec, await rpmSpec(version, tree));
  const macros = {
    _topdir: top,
    _rpmdir: join(top, 'out'),
    _rpmfilename: 'dragonfly.rpm',
    _buildhost: 'reproducible',
    _build_id_links: 'none',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    _binary_payload: 'w9.zstdio',
    __os_install_post: '%{nil}',
    debug_package: '%{nil}',
  };
  const defines = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  await tool('rpmbuild', ['-bb', '--target', `${machine}-linux`, '--nodeps', ...defines, spec], 'rpm', top);
  const file = join(output, `dragonfly-${version}-1.${machine}.rpm`);
  await cp(join(top, 'out/dragonfly.rpm'), file);
  return file;
}

async function rpmSpec(version: string, tree: string): Promise<string> {
  const files = (await sizeOf(tree)).files.map((path) => {
    if (!configurationFiles.includes(path)) return `/${path}`;
    return path.startsWith('etc/dragonfly/')
      ? `%config(noreplace) %attr(0640, root, dragonfly) /${path}`
      : `%config(noreplace) /${path}`;
  });
  const script = async (name: string): Promise<string> => readFile(join(scripts, 'rpm', name), 'utf8');
  return [
    'Name: dragonfly',
    `Version: ${version}`,
    'Release: 1',
    `Summary: ${summary}`,
    'License: Apache-2.0',
    'URL: https://d7y.io',
    'AutoReqProv: no',
    `Requires: glibc >= ${leastLibc}, libstdc++, libgcc, libatomic, shadow-utils, ca-certificates`,
    '%description',
    ...folded(description, 76),
    '%install',
    'mkdir -p %{buildroot}',
    `cp -a ${tree}/. %{buildroot}/`,
    `%pre\n${await script('pre')}`,
    `%post\n${await script('post')}`,
    `%preun\n${await script('preun')}`,
    `%postun\n${await script('postun')}`,
    '%files',
    '%defattr(-, root, root)',
    '%dir /etc/dragonfly',
    ...files,
    '',
  ].join('\n');
}

async function archive({ debian }: Platform, tree: string, work: string): Promise<string> {
  const name = `dragonfly-${await releaseVersion()}-linux-${debian}`;
  const top = join(work, 'tar');
  await rm(top, { recursive: true, force: true });
  await mkdir(join(top, name), { recursive: true });
  await cp(tree, join(top, name, 'files'), { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  await cp(join(scripts, 'install.sh'), join(top, name, 'install.sh'));
  await cp(join(root, 'LICENSE'), join(top, name, 'LICENSE'));
  const file = join(output, `${name}.tar.gz`);
  const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${sourceDate()}`, '--format=gnu'];
  await tool('tar', [...same, '--use-compress-program=gzip -6n', '-cf', file, '-C', top, name], 'tar');
  return file;
}

async function sizeOf(tree: string): Promise<{ readonly size: number; readonly files: readonly string[] }> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(files.map(async (path) => (await lstat(path)).size));
  return {
    size: sizes.reduce((sum, size) => sum + size, 0),
    files: files.map((path) => path.slice(tree.length + 1)).sort(),
  };
}

/** In lines of at most so many characters. */
function folded(text: string, width: number): string[] {
  return text.split(' ').reduce<string[]>((lines, word) => {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) return [...lines, word];
    return [...lines.slice(0, -1), `${last} ${word}`];
  }, []);
}
