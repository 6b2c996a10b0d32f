/** The package for Python, which needs a Python with pip here. */
import { execFile } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './bundle.ts';
import { releaseVersion, sourceDate } from './release-facts.ts';

const run = promisify(execFile);
const toolTimeoutMs = 600_000;
const source = join(root, 'clients/python');

/** Writes `dragonfly_p2p-<version>-py3-none-any.whl`. Throws when its number is not that of the product. */
export async function buildWheel(directory: string): Promise<void> {
  const manifest = await readFile(join(source, 'pyproject.toml'), 'utf8');
  const own = /^version = "([^"]+)"$/m.exec(manifest)?.[1];
  const version = await releaseVersion();
  if (own !== version) throw new Error(`clients/python/pyproject.toml has version ${own}, the product ${version}`);
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'wheel', '--quiet', '--no-deps', '--wheel-dir', directory];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()) };
  await run('python3', [...pip, source], { timeout: toolTimeoutMs, env });
  await chmod(join(directory, `dragonfly_p2p-${version}-py3-none-any.whl`), 0o644); // pip leaves it to its owner alone
}
