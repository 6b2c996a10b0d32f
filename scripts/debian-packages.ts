/**
 * The Debian packages that test files need. A test file names the programs it starts in a line `// needs: nginx, skopeo`;
 * this table says which package brings each of them.
 */
import { spawn } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  globSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const packageOfProgram: Readonly<Record<string, string>> = {
  nginx: 'nginx-light',
  strip: 'binutils',
  curl: 'curl',
  zsh: 'zsh',
  fish: 'fish',
  groff: 'groff-base',
  openssl: 'openssl',
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  protoc: 'protobuf-compiler',
  'docker-registry': 'docker-registry',
  skopeo: 'skopeo',
  git: 'git',
  'git-lfs': 'git-lfs',
  umoci: 'umoci',
  buildah: 'buildah',
  podman: 'podman',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  docker: 'docker.io',
  dockerd: 'docker.io',
  haproxy: 'haproxy',
  named: 'bind9',
  tinyproxy: 'tinyproxy-bin',
  promtool: 'prometheus',
  socat: 'socat',
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  postgres: 'postgresql',
  initdb: 'postgresql',
  chromium: 'chromium',
  'redis-server': 'redis-server',
  'ceph-mon': 'ceph-mon',
  'ceph-osd': 'ceph-osd',
  ceph: 'ceph-common',
  radosgw: 'radosgw',
};

// Debian keeps the programs of services outside the usual search path.
const extraDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/postgresql/*/bin'];

/** The usual search path, and behind it where the programs of services are. */
export function searchPath(): string {
  return [process.env['PATH'] ?? '', ...globSync(extraDirectories).sort()].join(delimiter);
}

export function programExists(program: string): boolean {
  return searchPath()
    .split(delimiter)
    .some((directory) => {
      try {
        accessSync(join(directory, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && programExists('apt-get');
}

/** Programs that no package of the table brings: a mistake in a test file. */
export function unknownPrograms(programs: Iterable<string>): string[] {
  return [...programs].filter((program) => !Object.hasOwn(packageOfProgram, program));
}

/**
 * Installs the packages of those programs, without starting any service.
 * Resolves with what apt printed when it failed, undefined when all are there.
 */
export async function installPrograms(programs: Iterable<string>): Promise<string | undefined> {
  const packages = [...new Set([...programs].map((program) => packageOfProgram[program] ?? program))].sort();
  process.stdout.write(`Installing Debian packages: ${packages.join(' ')}\n`);
  const restore = forbidServiceStarts();
  try {
    return await untilDone(async () => {
      // A package index that cannot be read anew may still be good enough.
      const stale = await run('apt-get', ['update', '-qq', ...aptOptions]);
      const problem = await run('apt-get', ['install', ...installFlags, ...aptOptions, ...packages]);
      return problem && [stale, problem].filter(Boolean).join('\n');
    });
  } finally {
    restore();
  }
}

const installFlags = ['-y', '-qq', '--no-install-recommends'];
const aptOptions = [
  '-oDPkg::Lock::Timeout=300',
  '-oAcquire::Retries=3',
  '-oAcquire::http::Timeout=60',
  // A configuration file that somebody has changed is no question to anybody: it stays.
  '-oDpkg::Options::=--force-confold',
  '-oDpkg::Options::=--force-confdef',
];
/** Unpacking a browser and three databases on a slow disk takes its time. */
const aptDeadlineMs = 1_800_000;
const lockWaitMs = 5_000;
const lockDeadlineMs = 300_000;

/** Waits while somebody else holds a lock of apt; anything else may be a mirror in a bad moment, and gets one more try. */
async function untilDone(attempt: () => Promise<string | undefined>): Promise<string | undefined> {
  const endMs = performance.now() + lockDeadlineMs;
  for (let triesLeft = 1; ;) {
    const problem = await attempt();
    if (problem === undefined) return undefined;
    const locked = /could not get lock|unable to (?:acquire|lock)/i.test(problem) && performance.now() < endMs;
    if (!locked && triesLeft === 0) return problem;
    if (!locked) triesLeft -= 1;
    process.stdout.write(`apt-get failed, once more: ${problem.trim().split('\n').at(-1)}\n`);
    await delay(lockWaitMs);
    // An installation that was interrupted, by us or before us, refuses all others until it is brought to its end.
    await run('dpkg', ['--configure', '-a', '--force-confold', '--force-confdef']);
  }
}

/** Debian asks this file before a package starts its service; 101 means no. */
function forbidServiceStarts(): () => void {
  const path = '/usr/sbin/policy-rc.d';
  const before = existsSync(path) ? { text: readFileSync(path), mode: statSync(path).mode } : undefined;
  writeFileSync(path, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  chmodSync(path, 0o755);
  const restore = (): void => {
    process.off('exit', restore);
    if (before === undefined) return rmSync(path, { force: true });
    writeFileSync(path, before.text);
    chmodSync(path, before.mode);
  };
  // Ctrl-C must not leave a machine behind on which no service ever starts.
  process.once('exit', restore);
  return restore;
}

/** Undefined when it ended well, else what it printed. */
function run(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { ...process.env, PATH: searchPath(), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: aptDeadlineMs,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) =>
      resolve(code === 0 ? undefined : `${program} ${args[0]} ended with ${code ?? signal}\n${output}`),
    );
  });
}
