/** Finds out from their configuration files which container engines of this node pull through the proxy. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ok, unchecked, warning, type Finding } from './checks.ts';

interface Engine {
  readonly name: string;
  /** Paths of which one exists when the engine is installed. */
  readonly signs: readonly string[];
  /** Files in which the engine configures mirrors and proxies; patterns of fs.glob. */
  readonly files: readonly string[];
}

const engines: readonly Engine[] = [
  {
    name: 'containerd',
    signs: ['etc/containerd', 'usr/bin/containerd', 'usr/local/bin/containerd'],
    files: [
      'etc/containerd/certs.d/*/hosts.toml',
      'etc/containerd/config.toml',
      'etc/systemd/system/containerd.service.d/*.conf',
    ],
  },
  {
    name: 'Docker',
    signs: ['etc/docker', 'usr/bin/dockerd', 'usr/sbin/dockerd'],
    files: ['etc/docker/daemon.json', 'etc/systemd/system/docker.service.d/*.conf'],
  },
  {
    name: 'k3s and RKE2',
    signs: ['etc/rancher/k3s', 'etc/rancher/rke2', 'usr/local/bin/k3s', 'usr/local/bin/rke2'],
    files: ['etc/rancher/*/registries.yaml', 'var/lib/rancher/*/agent/etc/containerd/certs.d/*/hosts.toml'],
  },
  {
    name: 'podman and CRI-O',
    signs: ['etc/containers', 'usr/bin/podman', 'usr/bin/crio'],
    files: ['etc/containers/registries.conf', 'etc/containers/registries.conf.d/*.conf'],
  },
];

export interface Wiring {
  readonly proxyPort: number;
  /** True when the daemon decrypts the TLS of some hosts, so that it sees the requests. */
  readonly intercepts: boolean;
  /** Root of the node's file system; inside a container it is not `/`. */
  readonly root: string;
}

export function checkWiring({ proxyPort, intercepts, root }: Wiring): Finding[] {
  if (proxyPort === 0) return [unchecked('wiring', 'the proxy has no fixed port, so no engine can be wired to it')];
  const installed = engines.filter(({ signs }) => signs.some((sign) => existsSync(join(root, sign))));
  if (installed.length === 0) return [unchecked('wiring', 'no container engine is installed here')];
  return installed.map(({ name, files }) => {
    const found = globSync([...files], { cwd: root });
    const wired = found.filter((file) => namesProxy(join(root, file), proxyPort));
    if (wired.length > 0 && !intercepts && wired.every((file) => onlyTunnels(join(root, file)))) {
      return warning(
        'wiring',
        `${name}: leads its HTTPS through the proxy, which can only tunnel it: nothing of that is shared`,
        'Use the proxy as a mirror (dragonfly setup), or end the TLS of these registries in it: proxy.hijackHTTPS.',
      );
    }
    if (wired.length > 0)
      return ok('wiring', `${name}: pulls through the proxy, by ${wired.map((file) => `/${file}`).join(', ')}`);
    return warning(
      'wiring',
      `${name}: no mirror or proxy in its configuration leads here`,
      `Name http://127.0.0.1:${proxyPort} as its mirror or proxy; its files are ${files.map((file) => `/${file}`).join(', ')}.`,
    );
  });
}

/** True when the file makes the daemon the engine's proxy, but not a mirror of a registry. */
function onlyTunnels(file: string): boolean {
  const text = readFileSync(file, 'utf8').replace(/^\s*#.*$/gm, '');
  return /https[-_]proxy/i.test(text) && !/registry-mirrors|\[host\./.test(text);
}

/** True for a local address with the proxy's port in a line that is not a comment. */
function namesProxy(file: string, port: number): boolean {
  try {
    const text = readFileSync(file, 'utf8').replace(/^\s*#.*$/gm, '');
    return new RegExp(`(?:127\\.0\\.0\\.1|localhost|\\[::1\\]):${port}\\b`).test(text);
  } catch {
    return false; // this user may not read it, or it was removed in the meantime
  }
}
