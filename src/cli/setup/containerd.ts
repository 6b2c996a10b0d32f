/**
 * containerd reads `<certs.d>/<registry>/hosts.toml` at every pull, so nothing is restarted, once its configuration
 * names that directory. `_default` covers every registry that has no directory of its own.
 */
import { join } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import { readOrUndefined } from './journal.ts';
import type { FileChange, SetupPlan } from './plan.ts';
import type { SetupRegistry } from './registry.ts';

/** After this time containerd 2.1 and newer ask the registry itself; older releases wait for the kernel's timeout. */
const dialTimeout = '2s';

export interface ContainerdOptions {
  readonly proxyUrl: string;
  /** Empty for every registry, by `_default`. */
  readonly registries: readonly SetupRegistry[];
  readonly configPath: string;
  readonly hostsDirectory: string;
}

export async function planContainerd(options: ContainerdOptions): Promise<SetupPlan> {
  const { proxyUrl, registries } = options;
  const config = await planConfig(options);
  const directory = config.hostsDirectory;
  const files =
    registries.length === 0
      ? [{ path: join(directory, '_default', 'hosts.toml'), fresh: '', block: hostBlock(proxyUrl, undefined) }]
      : registries.map(({ name, url }) => ({
          path: join(directory, name, 'hosts.toml'),
          fresh: `server = "${url}"\n\n`,
          block: hostBlock(proxyUrl, url),
        }));
  const changes: FileChange[] = [];
  for (const { path, fresh, block } of files) {
    const before = await readOrUndefined(path);
    const after = before === undefined ? fresh + block : withHost(before, proxyUrl, block);
    if (after !== before) changes.push({ path, before, after });
  }
  return {
    changes: config.change ? [config.change, ...changes] : changes,
    afterwards: config.change
      ? ['Restart containerd once (running containers stay): systemctl restart containerd']
      : [],
    registries: registries.map(({ url }) => url),
  };
}

function hostBlock(proxyUrl: string, registryUrl: string | undefined): string {
  const header =
    registryUrl === undefined ? '' : `  [host."${proxyUrl}".header]\n    X-Dragonfly-Registry = ["${registryUrl}"]\n`;
  return `[host."${proxyUrl}"]\n  capabilities = ["pull", "resolve"]\n  dial_timeout = "${dialTimeout}"\n${header}`;
}

/** Hosts are asked in file order, so ours goes before the first. Top-level keys must stay above it. */
function withHost(text: string, proxyUrl: string, block: string): string {
  if (text.includes(`[host."${proxyUrl}"]`)) return text;
  const firstTable = /^[ \t]*\[/m.exec(text)?.index ?? text.length;
  const head = text.slice(0, firstTable);
  const gap = head === '' || head.endsWith('\n') ? '' : '\n';
  return `${head}${gap}${block}${firstTable === text.length ? '' : '\n'}${text.slice(firstTable)}`;
}

/** Finds the directory that the configuration names, or adds one. */
async function planConfig({
  configPath,
  hostsDirectory,
}: ContainerdOptions): Promise<{ hostsDirectory: string; change: FileChange | undefined }> {
  const before = await readOrUndefined(configPath);
  const text = before ?? 'version = 2\n';
  if (/^\s*\[plugins\..*registry\.(mirrors|configs)\b/m.test(text)) {
    throw new DragonflyError('FAILED_PRECONDITION', `${configPath} uses registry.mirrors, which excludes hosts.toml`, {
      hint: 'Move those entries into hosts.toml files below the config_path directory first.',
    });
  }
  const named = /^[ \t]*config_path[ \t]*=[ \t]*(["'])(.*)\1[ \t]*$/m.exec(text);
  const first = named?.[2]?.split(':')[0];
  if (first) return { hostsDirectory: first, change: undefined };
  const line = `config_path = "${hostsDirectory}"`;
  if (named) {
    const indent = /^[ \t]*/.exec(named[0])?.[0] ?? '';
    return { hostsDirectory, change: { path: configPath, before, after: text.replace(named[0], indent + line) } };
  }
  const table = `[plugins."${pluginOf(text)}".registry]`;
  const present = text.includes(table);
  const after = present
    ? text.replace(table, `${table}\n  ${line}`)
    : `${text.endsWith('\n') ? text : `${text}\n`}\n${table}\n  ${line}\n`;
  return { hostsDirectory, change: { path: configPath, before, after } };
}

function pluginOf(text: string): string {
  return /^\s*version\s*=\s*3\b/m.test(text) ? 'io.containerd.cri.v1.images' : 'io.containerd.grpc.v1.cri';
}
