/** What an installed system has of Dragonfly: the files of every kind of package. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, lutimes, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { root } from './bundle.ts';
import { sourceDate } from './release-facts.ts';
import { sbom } from './sbom.ts';
import type { Platform } from './platforms.ts';

const run = promisify(execFile);

/** Configuration that a package manager leaves as the operator changed it. */
export const configurationFiles = [
  'etc/default/dragonfly',
  'etc/dragonfly/dfget.yaml',
  'etc/dragonfly/manager.yaml',
  'etc/dragonfly/scheduler.yaml',
  'etc/dragonfly/seed-peer.yaml',
];

export const units = ['manager', 'scheduler', 'dfdaemon', 'seed-peer'].map((name) => `dragonfly-${name}.service`);
/** Where packages put units; distributions whose /lib is /usr/lib see the same directory. */
export const unitDirectory = 'usr/lib/systemd/system';
const documentation = 'usr/share/doc/dragonfly';
const documents = [
  'config.md',
  'imports.md',
  'install.md',
  'metrics.md',
  'operate.md',
  'proxy.md',
  'publish.md',
  'security.md',
  'vm.md',
];
const manuals = 'usr/share/man/man1';
const manualTimeoutMs = 120_000;
const otherNames = ['dfget', 'dfcache', 'dfstore', 'dfctl', 'dfdaemon'];

/** Makes the directory anew, as it is to lie below `/`. */
export async function writeInstallTree(directory: string, platform: Platform, executable: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const put = async (path: string, from: string, mode: number): Promise<void> => {
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from, target);
    await chmod(target, mode);
  };
  await put('usr/bin/dragonfly', executable, 0o755);
  for (const name of otherNames) await symlink('dragonfly', join(directory, 'usr/bin', name));
  for (const unit of units) await put(join(unitDirectory, unit), join(root, 'deploy/systemd', unit), 0o644);
  for (const path of configurationFiles) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const secret = path.startsWith('etc/dragonfly/');
    await put(path, join(root, 'deploy/config', secret ? name : 'default'), secret ? 0o640 : 0o644);
  }
  for (const name of documents) await put(join(documentation, name), join(root, 'docs', name), 0o644);
  await writeManuals(join(directory, manuals));
  await put(join(documentation, 'CHANGELOG.md'), join(root, 'CHANGELOG.md'), 0o644);
  const bill = JSON.stringify(await sbom(platform), null, 2);
  await writeFile(join(directory, documentation, 'dragonfly.spdx.json'), `${bill}\n`, { mode: 0o644 });
  await sameModes(directory, sourceDate());
}

/** Manual pages of all programs; those that have a command of their own are found by its name, too. */
async function writeManuals(directory: string): Promise<void> {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()) };
  await run(join(root, 'bin/dragonfly'), ['man', '--directory', directory], { env, timeout: manualTimeoutMs });
  for (const name of await readdir(directory)) {
    const page = join(directory, name);
    await writeFile(`${page}.gz`, gzipSync(await readFile(page), { level: 9 }), { mode: 0o644 });
    await rm(page);
  }
  for (const name of otherNames) await symlink(`dragonfly-${name}.1.gz`, join(directory, `${name}.1.gz`));
}

/** Directories and links are the same whatever the umask and the time of the build. */
async function sameModes(directory: string, seconds: number): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await sameModes(path, seconds);
    await lutimes(path, seconds, seconds);
  }
  await chmod(directory, 0o755);
  await lutimes(directory, seconds, seconds);
}
