/**
 * Adds to package-lock.json what npm leaves out of it: optional packages of other platforms that the registry at hand
 * did not have when the lock was written, and what their bytes must be (`integrity`, asked of the registry by npm).
 * `npm ci` refuses a lock without the former on every platform, and takes any bytes without the latter.
 *
 *   node scripts/complete-lock.ts           run after every change of the dependencies
 *   node scripts/complete-lock.ts --check   fails when something is missing
 *
 * Their versions are exact in the package that asks for them, so nothing is guessed but the platform, from the name.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

interface LockedPackage {
  version?: string;
  integrity?: string;
  optional?: boolean;
  dev?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, LockedPackage> };

const systems = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32', 'aix'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> {
  const words = name.split(/[-/_.]/);
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined;
  return { ...(cpu.length > 0 && { cpu }), ...(libc && { libc }), ...(os.length > 0 && { os }) };
}

function found(from: string, name: string): boolean {
  for (let at = from; ; at = at.replace(/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+$/, '')) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in lock.packages) return true;
    if (at === '') return false;
  }
}

function integrityOf(name: string, { version }: LockedPackage): string | undefined {
  const view = ['view', `${name}@${version}`, 'dist.integrity'];
  const { stdout } = spawnSync('npm', view, { encoding: 'utf8', timeout: 60_000 });
  return /^sha512-[A-Za-z0-9+/]{86}==$/.exec(stdout.trim())?.[0];
}

const added: string[] = [];
for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (found(from, name)) continue;
    if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${from} asks for ${name}@${version}: not an exact version`);
    const dev = entry.dev === true ? { dev: true } : {};
    lock.packages[`node_modules/${name}`] = { version, ...dev, optional: true, ...platformOf(name) };
    added.push(`${name}@${version}`);
  }
}

/** Packages of a registry whose bytes anybody could have changed. */
const unproven = Object.entries(lock.packages).filter(
  ([place, { integrity }]) => /(?:^|\/)node_modules\//.test(place) && integrity === undefined,
);
const withoutLinks = unproven.filter(([, { version }]) => version !== undefined);

if (process.argv.includes('--check')) {
  const problems = [...added, ...withoutLinks.map(([place]) => `integrity of ${place}`)];
  if (problems.length > 0) console.error(`missing: ${problems.join(', ')}\nRun: node scripts/complete-lock.ts`);
  process.exitCode = problems.length > 0 ? 1 : 0;
} else {
  for (const [place, entry] of withoutLinks) {
    const told = integrityOf(place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length), entry);
    if (told === undefined) console.error(`this registry does not have ${place} ${entry.version}: ask another one`);
    else entry.integrity = told;
  }
  const [rootEntry, ...others] = Object.entries(lock.packages);
  others.sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries(rootEntry ? [rootEntry, ...others] : others);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(added.length === 0 ? 'nothing was missing' : `added ${added.length} packages of other platforms`);
}
