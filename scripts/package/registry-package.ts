/** Packages of the registry for another machine than this one, fetched by npm and compared with the digest known beforehand. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './bundle.ts';

const run = promisify(execFile);
const store = join(root, 'dist/packages');
const fetchTimeoutMs = 300_000;

export interface RegistryPackage {
  readonly name: string;
  readonly version: string;
  /** As package-lock.json has it: `sha512-…`. */
  readonly integrity: string;
}

/** Directory with the files of the package; kept below dist/, where the next build finds it. */
export async function registryPackage({ name, version, integrity }: RegistryPackage): Promise<string> {
  const digest = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex').slice(0, 16);
  const place = join(store, `${name.replace('/', '-')}-${version}-${digest}`);
  if (existsSync(place)) return place;
  const temporary = `${place}.part`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  const { stdout } = await run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', temporary], {
    cwd: temporary,
    timeout: fetchTimeoutMs,
  });
  const archive = join(temporary, stdout.trim().split('\n').at(-1) ?? '');
  const found = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (found !== integrity) throw new Error(`${name}@${version} has the digest ${found}, expected ${integrity}`);
  await run('tar', ['-xzf', archive, '-C', temporary, '--strip-components=1']);
  await rm(archive);
  await rename(temporary, place);
  return place;
}

/** As the lock file has it. */
export async function lockedPackage(name: string): Promise<RegistryPackage> {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; integrity?: string }>;
  };
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json does not name ${name}`);
  return { name, version, integrity };
}
