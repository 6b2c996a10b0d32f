/** The archive for systems without dpkg and rpm: its script installs, keeps what an operator changed, and removes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, copyFile, mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeInstallTree } from '../../scripts/package/install-tree.ts';
import { platforms } from '../../scripts/package/platforms.ts';
import { root } from '../house/repository.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1)).sort();
}

test('install.sh installs, upgrades beside changed files, removes, purges', async () => {
  await using directory = await temporaryDirectory();
  const [platform] = platforms;
  assert.ok(platform);
  // What is installed is not run here: the launcher of the checkout stands where the executable does.
  await writeInstallTree(directory.join('files'), platform, join(root, 'bin/dragonfly'));
  await copyFile(join(root, 'deploy/packages/install.sh'), directory.join('install.sh'));
  const target = directory.join('system');
  await mkdir(target);
  const script = (...args: string[]): string =>
    execFileSync('sh', [directory.join('install.sh'), '--prefix', target, ...args], { encoding: 'utf8' });

  assert.match(script(), /is installed/);
  const installed = await filesBelow(target);
  assert.deepEqual(installed, await filesBelow(directory.join('files')));
  assert.ok(
    installed.includes('usr/bin/dfget') && installed.includes('usr/lib/systemd/system/dragonfly-manager.service'),
  );

  const config = 'etc/dragonfly/dfget.yaml';
  await appendFile(join(target, config), '# ours\n');
  script();
  assert.match(await readFile(join(target, config), 'utf8'), /# ours\n$/);
  assert.deepEqual(await readFile(join(target, `${config}.new`)), await readFile(directory.join('files', config)));

  script('--remove');
  assert.ok((await filesBelow(target)).every((path) => path.startsWith('etc/')));
  script('--remove', '--purge');
  assert.deepEqual(await filesBelow(target), []);
});

test('the bill of materials names Node and every library of the product, each once', async () => {
  await using directory = await temporaryDirectory();
  const [platform] = platforms;
  assert.ok(platform);
  await writeInstallTree(directory.path, platform, join(root, 'bin/dragonfly'));
  const text = await readFile(directory.join('usr/share/doc/dragonfly/dragonfly.spdx.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: { SPDXID: string; name: string; versionInfo: string }[] };
  const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const names = packages.map(({ name }) => name);
  const missing = Object.keys(dependencies).filter((name) => name !== 'node' && !names.includes(name));
  assert.deepEqual(missing, []);
  assert.ok(names.includes(platform.node.name));
  assert.ok(!names.includes('typescript'));
  assert.equal(new Set(packages.map(({ SPDXID }) => SPDXID)).size, packages.length);
});
