/**
 * `dragonfly setup`: connects the container engine of this node with its dfdaemon.
 *
 * Without `--apply` it only shows what would change. With it: the proxy must answer first, then the files are changed,
 * then a real request goes through for every registry; when that fails everything is put back. `--undo` puts it back later.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { Command as ArgumentParser, CommanderError, Option } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { aborted } from '../../core/process/lifecycle.ts';
import { planContainerd } from './containerd.ts';
import { planContainers } from './containers.ts';
import {
  doorsOf,
  environmentClients,
  planEnvironment,
  usualDoors,
  type DoorUrls,
  type EnvironmentClient,
} from './environment.ts';
import { planDocker, type SystemTrust } from './docker.ts';
import { SetupJournal } from './journal.ts';
import { diffText, type SetupPlan } from './plan.ts';
import { clientConfiguration, printableClients, type PrintableClient } from './print.ts';
import { planRancher } from './rancher.ts';
import { parseRegistry, type SetupRegistry } from './registry.ts';
import { openDoors, verifyWay } from './verify.ts';
import { usageError } from '../../core/usage-error.ts';

/** It prints its version without starting anything. */
const dockerdTimeoutMs = 10_000;

const engines = ['containerd', 'docker', 'podman', 'crio', 'k3s', 'rke2'] as const;
type Engine = (typeof engines)[number];
/** The clients for which setup changes files. */
type Target = Engine | EnvironmentClient;

interface SetupOptions {
  readonly proxy: string;
  readonly registry: readonly SetupRegistry[];
  readonly apply: boolean;
  readonly undo: boolean;
  readonly hold: boolean;
  readonly verify: boolean;
  readonly config: string | undefined;
  readonly hostsDir: string;
  readonly certsDir: string;
  readonly method: 'mirror' | 'proxy';
  readonly dockerVersion: string | undefined;
  readonly dropIn: string;
  readonly ca: string | undefined;
  readonly systemTrust: boolean;
  readonly trustDir: string | undefined;
  readonly stateDir: string;
}

export const runSetup: Command = async (argv, io) => {
  let work: (() => Promise<number>) | undefined;
  const parser = createParser(io, (name, options) => {
    const changes = isEngine(name) || (isEnvironmentClient(name) && (options.apply || options.undo));
    work = changes ? () => setUp(name, options, io) : () => print(name as PrintableClient, options, io);
  });
  try {
    parser.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageError(error, 'dragonfly setup --help lists engines and options.');
  }
  return (await work?.()) ?? 2;
};

function createParser(io: CommandIo, onParsed: (name: string, options: SetupOptions) => void): ArgumentParser {
  const collect = (text: string, known: readonly SetupRegistry[]): SetupRegistry[] => [...known, parseRegistry(text)];
  return new ArgumentParser('dragonfly setup')
    .description(
      'connects a container engine of this node with its dfdaemon, or prints configuration for other clients',
    )
    .argument(
      '<client>',
      `changed here: ${engines.join(', ')}; with --apply also ${environmentClients.join(', ')}; printed: ${printableClients.join(', ')}`,
    )
    .option('--proxy <url>', 'the proxy of the dfdaemon', 'http://127.0.0.1:65001')
    .option(
      '--registry <name[=url]>',
      'registry to accelerate, repeatable (containerd: all when none is named)',
      collect,
      [],
    )
    .option('--apply', 'change the files; without it they are only shown', false)
    .option('--hold', 'with --apply: stay until asked to end, and then put the files back', false)
    .option('--undo', 'put back what an earlier --apply changed', false)
    .option('--no-verify', 'do not send a request through the proxy')
    .option('--config <path>', "the engine's configuration file or directory")
    .option(
      '--hosts-dir <path>',
      'containerd: directory of hosts.toml files if none is configured',
      '/etc/containerd/certs.d',
    )
    .option('--certs-dir <path>', 'docker: directory of certificates per registry', '/etc/docker/certs.d')
    .addOption(
      new Option('--method <how>', 'docker: as mirror of Docker Hub, or as proxy for all')
        .choices(['mirror', 'proxy'])
        .default('mirror'),
    )
    .option('--docker-version <number>', 'docker as proxy: of dockerd; by default what it says of itself')
    .addOption(
      new Option('--drop-in <path>', 'docker as proxy, before version 23: systemd drop-in').default(
        '/etc/systemd/system/docker.service.d/dragonfly.conf',
        'docker.service.d/dragonfly.conf of systemd',
      ),
    )
    .option('--ca <path>', "docker as proxy: certificate of the proxy's authority (<workHome>/proxy-ca/ca.crt)")
    .option(
      '--system-trust',
      "docker as proxy: let this whole machine trust the proxy's authority, which Docker Hub needs",
      false,
    )
    .option('--trust-dir <path>', 'where such authorities go; by default that of Debian or of Red Hat')
    .option('--state-dir <path>', 'where the record for --undo is kept', '/var/lib/dragonfly/setup')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: () => undefined })
    .action((name: string, options: SetupOptions) => {
      if (!isEngine(name) && !printableClients.includes(name as PrintableClient)) {
        throw new DragonflyError('INVALID_ARGUMENT', `"${name}" is not a client that can be set up`, {
          hint: `Choose one of ${[...engines, ...printableClients].join(', ')}.`,
        });
      }
      if (!URL.canParse(options.proxy))
        throw new DragonflyError('INVALID_ARGUMENT', `"${options.proxy}" is not a URL`, {
          hint: 'Write the address of the proxy of the dfdaemon, for example http://127.0.0.1:65001.',
        });
      if (options.apply && !isEngine(name) && !isEnvironmentClient(name)) {
        throw new DragonflyError('INVALID_ARGUMENT', `${name} is not changed by --apply`, {
          hint: 'What is printed without it goes where the comments say.',
        });
      }
      onParsed(name, { ...options, proxy: options.proxy.replace(/\/+$/, '') });
    });
}

async function setUp(engine: Target, options: SetupOptions, io: CommandIo): Promise<number> {
  const say = (text: string): void => void io.stdout.write(`${text}\n`);
  const journal = new SetupJournal(options.stateDir, engine);
  if (options.undo) {
    for (const path of await journal.undo()) say(`put back ${path}`);
    return 0;
  }
  const plan = await planFor(engine, options, io.signal);
  if (plan.changes.length === 0) say('nothing to change');
  for (const change of plan.changes) io.stdout.write(diffText(change));
  if (!options.apply) {
    if (plan.changes.length > 0) say('nothing was changed; run again with --apply to do it');
    return 0;
  }
  const verify = (): Promise<void> =>
    options.verify && isEngine(engine) ? verifyWay(options.proxy, plan.registries, io.signal) : Promise.resolve();
  await verify(); // a node is not pointed at a proxy that does not work
  if (plan.changes.length > 0) {
    await journal.apply(plan);
    try {
      await verify();
    } catch (error) {
      await journal.undo();
      throw error;
    }
    const files = `${plan.changes.length} file${plan.changes.length === 1 ? '' : 's'}`;
    say(`changed ${files}; undo: dragonfly setup ${engine} --undo`);
    for (const sentence of plan.afterwards) say(sentence);
  }
  if (options.hold) {
    await stayAlive(io.signal);
    // Includes the commands of an earlier run that did not get that far.
    if (await journal.isRecorded()) for (const path of await journal.undo()) say(`put back ${path}`);
  }
  return 0;
}

/** For a pod, which must not end after its only task. */
async function stayAlive(signal: AbortSignal): Promise<void> {
  const alive = setInterval(() => undefined, 2 ** 30);
  await aborted(signal);
  clearInterval(alive);
}

async function planFor(engine: Target, options: SetupOptions, signal: AbortSignal): Promise<SetupPlan> {
  const { proxy: proxyUrl, registry, config } = options;
  const named = registry.length > 0 ? registry : [parseRegistry('docker.io')];
  switch (engine) {
    case 'containerd':
      return planContainerd({
        proxyUrl,
        registries: registry,
        configPath: config ?? '/etc/containerd/config.toml',
        hostsDirectory: options.hostsDir,
      });
    case 'docker':
      return planDocker({
        proxyUrl,
        method: options.method,
        registries: named,
        configPath: config ?? '/etc/docker/daemon.json',
        certsDirectory: options.certsDir,
        majorVersion:
          options.dockerVersion === undefined ? await dockerMajor() : Number.parseInt(options.dockerVersion, 10),
        dropInPath: options.dropIn,
        reload: config === undefined && (await isDockerActive()) ? dockerReload : undefined,
        systemTrust: options.systemTrust ? systemTrust(options.trustDir) : undefined,
        authorityPem: options.ca === undefined ? undefined : await readFile(options.ca, 'utf8'),
      });
    case 'k3s':
    case 'rke2':
      return planRancher({
        engine,
        proxyUrl,
        registries: named,
        configPath: config ?? `/etc/rancher/${engine}/registries.yaml`,
      });
    case 'podman':
    case 'crio':
      return planContainers({
        engine,
        proxyUrl,
        registries: named,
        directory: config ?? '/etc/containers/registries.conf.d',
      });
    default:
      return planEnvironment(engine, {
        doors: options.verify ? await requiredDoors(engine, proxyUrl, signal) : usualDoors(proxyUrl),
        path: config,
      });
  }
}

/** A client must not be pointed at a closed door. */
async function requiredDoors(client: EnvironmentClient, proxyUrl: string, signal: AbortSignal): Promise<DoorUrls> {
  const doors = await openDoors(proxyUrl, signal);
  const closed = doorsOf[client].find((name) => doors[name] === undefined);
  if (closed === undefined) return doors;
  throw new DragonflyError('FAILED_PRECONDITION', `the dfdaemon at ${proxyUrl} has its door for ${closed} closed`, {
    hint: `See doors.${closed} in its dfget.yaml.`,
  });
}

/**
 * Without --fresh, Debian keeps links to a file that is gone; with it, the hooks (Java's store is one) do not hear of
 * removed files.
 */
const debianForgets = `update-ca-certificates --fresh
hooks=/etc/ca-certificates/update.d
[ ! -d $hooks ] || run-parts --test -- $hooks | while read -r hook; do
  echo -/etc/ssl/certs/dragonfly.pem | "$hook"
done`;

const trustStores: readonly SystemTrust[] = [
  {
    directory: '/usr/local/share/ca-certificates',
    takeover: { written: ['update-ca-certificates'], putBack: ['sh', '-c', debianForgets] },
  },
  {
    directory: '/etc/pki/ca-trust/source/anchors',
    takeover: { written: ['update-ca-trust', 'extract'], putBack: ['update-ca-trust', 'extract'] },
  },
];

/** Throws UNSUPPORTED on a system with another kind of store. */
function systemTrust(directory: string | undefined): SystemTrust {
  const store = trustStores.find((candidate) => existsSync(dirname(candidate.directory)));
  if (store && directory === undefined) return store;
  if (store && directory !== undefined) {
    const { written } = store.takeover;
    return { directory, takeover: { written, putBack: written } };
  }
  throw new DragonflyError('UNSUPPORTED', 'the trust store of this system is of no kind known here', {
    hint: "Add the proxy's authority to it by hand.",
  });
}

/** The file may not exist any more when it is restored. */
const dockerReload = {
  written: ['systemctl', 'reload', 'docker'],
  putBack: ['sh', '-c', 'systemctl reload docker || true'],
};

async function isDockerActive(): Promise<boolean> {
  try {
    await promisify(execFile)('systemctl', ['is-active', '--quiet', 'docker']);
    return true;
  } catch {
    return false;
  }
}

/** Undefined when there is no dockerd. */
async function dockerMajor(): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('dockerd', ['--version'], { timeout: dockerdTimeoutMs });
    const major = / version (\d+)\./.exec(stdout)?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}

function print(client: PrintableClient, options: SetupOptions, io: CommandIo): Promise<number> {
  const registry = options.registry[0] ?? parseRegistry('docker.io');
  io.stdout.write(clientConfiguration(client, { proxyUrl: options.proxy, registry }));
  return Promise.resolve(0);
}

function isEnvironmentClient(name: string): name is EnvironmentClient {
  return (environmentClients as readonly string[]).includes(name);
}

function isEngine(name: string): name is Engine {
  return (engines as readonly string[]).includes(name);
}
