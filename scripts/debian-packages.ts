/**
 * The Debian packages that test files need. A test file names the programs it starts in a line `// needs: nginx, skopeo`;
 * this table says which package brings each of them.
 */
import { spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const packageOfProgram: Readonly<Record<string, string>> = {
  nginx: 'nginx-light',
  curl: 'curl',
  openssl: 'openssl',
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  protoc: 'protobuf-compiler',
  'docker-registry': 'docker-registry',
  skopeo: 'skopeo',
  umoci: 'umoci',
  buildah: 'buildah',
  podman: 'podman',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  docker: 'docker.io',
  dockerd: 'docker.io',
  haproxy: 'haproxy',
  promtool: 'prometheus',
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  postgres: 'postgresql',
  initdb: 'postgresql',
  chromium: 'chromium',
  'ceph-mon': 'ceph-mon',
  'ceph-osd': 'ceph-osd',
  ceph: 'ceph-common',
  radosgw: 'radosgw',
};

// Debian keeps the programs of services outside the usual search path.
const extraDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/postgresql/15/bin'];

export function programExists(program: string): boolean {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), ...extraDirectories];
  return directories.some((directory) => {
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
    return (
      (await apt(['update', '-qq'])) ?? (await apt(['install', '-y', '-qq', '--no-install-recommends', ...packages]))
    );
  } finally {
    restore();
  }
}

/** Debian asks this file before a package starts its service; 101 means no. */
function forbidServiceStarts(): () => void {
  const path = '/usr/sbin/policy-rc.d';
  const before = existsSync(path) ? readFileSync(path) : undefined;
  writeFileSync(path, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  chmodSync(path, 0o755);
  return () => (before === undefined ? rmSync(path, { force: true }) : writeFileSync(path, before));
}

function apt(args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn('apt-get', [...args, '-oDPkg::Lock::Timeout=120'], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 600_000,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => resolve(code === 0 ? undefined : `apt-get ${args[0]} ended with ${code}\n${output}`));
  });
}
