/**
 * The only entry point. `bin/dragonfly` passes the name by which it was called as the first argument: a classic name
 * (`dfget`) is the program itself, with any other name the next argument names the program (`dragonfly dfget`). Each
 * program is loaded only when needed, so that command line tools start without the services.
 */
import { enableCompileCache } from 'node:module';
import type { NamedProgram } from './cli/help-text.ts';
import type { Origins } from './cli/origin.ts';
import type { Command, CommandIo } from './core/process/command.ts';
import { DragonflyError, toDragonflyError, type ErrorCode } from './core/errors.ts';
import { abortOnSignals } from './core/process/lifecycle.ts';
import { isExecutable, ownFile } from './core/own-files.ts';
import { commit, version } from './core/version.ts';
import { wrapped } from './core/wrapped-text.ts';

// The launcher does the same; this is for runs without it. The cache is kept beside the code, because in a shared directory
// another user could plant code.
if (!isExecutable) enableCompileCache(ownFile('node_modules/.cache/dragonfly'));

interface Program {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const programs: Readonly<Record<string, Program>> = {
  up: {
    summary: 'a cluster on this machine, one file to all of its nodes, and the receipt',
    load: async () => (await import('./cli/up/up.ts')).runUp,
  },
  manager: {
    summary: 'knows the clusters and who belongs to them',
    load: async () => (await import('./manager/run.ts')).runManager,
  },
  scheduler: {
    summary: 'tells every node whom to ask for pieces, and who goes to the origin',
    load: async () => (await import('./scheduler/run.ts')).runScheduler,
  },
  dfdaemon: {
    summary: 'the service of every node: stores, fetches and serves pieces; the seed peer, by configuration',
    load: async () => (await import('./dfdaemon/run.ts')).runDfdaemon,
  },
  dfget: {
    summary: 'downloads a file or a directory through the dfdaemon of this node',
    load: async () => (await import('./cli/dfget/dfget.ts')).createDfget(openOrigins),
  },
  dfctl: {
    summary: 'looks after the tasks of this node; preheats by a scheduler; shows the nodes of the manager',
    load: loadDfctl,
  },
  dfcache: {
    summary: 'puts files into the cluster to stay, on as many nodes as wanted, and gets them out on any node',
    load: async () => (await import('./cli/dfcache/dfcache.ts')).runDfcache,
  },
  dfstore: {
    summary: 'puts files into the cluster and an object store behind it, and gets them out on any node',
    load: async () => (await import('./cli/dfstore/dfstore.ts')).runDfstore,
  },
  publish: {
    summary: 'makes a directory a version that all subscribers of its name get, at the cost of what is new in it',
    load: async () => (await import('./cli/publish/publish.ts')).runPublish,
  },
  subscribe: {
    summary: 'keeps a directory at the newest version of a name; switches at once, rolls back',
    load: async () => (await import('./cli/subscribe/subscribe.ts')).runSubscribe,
  },
  'hub-cache': {
    summary: 'puts a repository of a model hub into the cache of its clients, once on the disk',
    load: async () => (await import('./cli/hub-cache/hub-cache.ts')).runHubCache,
  },
  setup: {
    summary: 'connects the container engine of this node with its dfdaemon; shows, verifies, undoes',
    load: async () => (await import('./cli/setup/setup.ts')).runSetup,
  },
  doctor: {
    summary: 'examines this node; with a URL, tells why a download of it did not come from other nodes',
    load: loadDoctor,
  },
  health: {
    summary: 'asks a gRPC server whether it serves, for probes: grpc_health_probe',
    load: async () => (await import('./cli/health/health.ts')).runHealth,
  },
  'private-zone': {
    summary: 'keeps a name of a DNS zone pointed at the dfdaemon pods that are well',
    load: async () => (await import('./cli/private-zone/private-zone.ts')).runPrivateZone,
  },
  operator: {
    summary: 'keeps a control plane of its own for each account of a Kubernetes cluster',
    load: async () => (await import('./cli/operator/operator.ts')).runOperator,
  },
  preheater: {
    summary: 'brings what workloads of a Kubernetes cluster will want to their nodes, before they are started',
    load: async () => (await import('./cli/preheater/preheater.ts')).runPreheater,
  },
  simulate: {
    summary: 'the real decisions of scheduler and peers in virtual time: how fast a file reaches any number of nodes',
    load: loadSimulate,
  },
  mcp: {
    summary: 'this node for agents, by the Model Context Protocol',
    load: async () => {
      const { createMcp } = await import('./cli/mcp/mcp.ts');
      return createMcp({ doctor: loadDoctor, dfctl: loadDfctl, simulate: loadSimulate });
    },
  },
  completion: {
    summary: 'completion of all programs for bash, zsh and fish',
    load: async () => {
      const { createCompletion } = await import('./cli/completion/completion.ts');
      return createCompletion(namedPrograms);
    },
  },
  man: {
    summary: 'manual pages of all programs',
    load: async () => (await import('./cli/manual/manual.ts')).createManual(namedPrograms),
  },
};

function namedPrograms(): NamedProgram[] {
  return Object.entries(programs).map(([name, program]) => ({ name, ...program }));
}

async function loadDfctl(): Promise<Command> {
  return (await import('./cli/dfctl/dfctl.ts')).runDfctl;
}

async function loadDoctor(): Promise<Command> {
  const { createDoctor } = await import('./cli/doctor/doctor.ts');
  const { loadDfdaemonConfig } = await import('./dfdaemon/config.ts');
  return createDoctor(loadDfdaemonConfig);
}

async function loadSimulate(): Promise<Command> {
  return (await import('./simulator/command.ts')).runSimulate;
}

/** Internal programs that the product starts itself, and alternative names. */
const helpers: Readonly<Record<string, () => Promise<Command>>> = {
  grpc_health_probe: async () => (await import('./cli/health/health.ts')).runHealth,
  'user-writer': async () => (await import('./dfdaemon/storage/user-writer.ts')).runUserWriter,
  'user-reader': async () => (await import('./dfdaemon/imports/user-reader.ts')).runUserReader,
};

/** How dfget works without a daemon: with the daemon's own code, loaded only then. */
async function openOrigins(): Promise<Origins> {
  const { Sources } = await import('./dfdaemon/source/sources.ts');
  const { silentLogger } = await import('./core/process/logger.ts');
  const { OutboundProxies, withProxyEnvironment } = await import('./core/net/outbound-proxy.ts');
  const none = { http: undefined, https: undefined, noProxy: undefined };
  const outbound = new OutboundProxies(withProxyEnvironment(none, process.env));
  return new Sources({ logger: silentLogger, egress: { outbound } });
}

async function main(calledAs: string, argv: readonly string[], io: CommandIo): Promise<number> {
  if (Object.hasOwn(programs, calledAs) || calledAs === 'grpc_health_probe') return run(calledAs, argv, io);
  const [first, ...rest] = argv;
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    io.stdout.write(usage());
    return 0;
  }
  if (first === '--version' || first === '-V') {
    io.stdout.write(`dragonfly ${version}${commit === undefined ? '' : ` (${commit})`}\n`);
    return 0;
  }
  return run(first, rest, io);
}

async function run(name: string, argv: readonly string[], io: CommandIo): Promise<number> {
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
  const load = program?.load ?? (Object.hasOwn(helpers, name) ? helpers[name] : undefined);
  try {
    if (!load) {
      throw new DragonflyError('INVALID_ARGUMENT', `"${name}" is not a program of dragonfly`, {
        hint: 'Run "dragonfly help" for the list.',
      });
    }
    const [first, ...rest] = argv;
    // Names from the original's Go generation: `dfget daemon`, `scheduler version`.
    if (name === 'dfget' && first === 'daemon') return await run('dfdaemon', rest, io);
    if (first === 'version') {
      io.stdout.write(`${name} ${version}\n`);
      return 0;
    }
    const command = await load();
    return await command(argv, io);
  } catch (error) {
    const known = toDragonflyError(error);
    io.stderr.write(`${wrapped(`${program ? name : 'dragonfly'}: ${known.message}`)}\n`);
    const hint = known.hint ?? hints[known.code];
    if (hint !== undefined) io.stderr.write(`${wrapped(`hint: ${hint}`)}\n`);
    // An INTERNAL error is a bug: without its stack nobody can fix it.
    if (known.code === 'INTERNAL' && known.stack !== undefined) io.stderr.write(`${known.stack}\n`);
    return known.mapping.exit;
  }
}

/** Hints for errors from other nodes, of which only code and message arrive. */
const hints: Readonly<Partial<Record<ErrorCode, string>>> = {
  SOURCE_STATUS: 'Check the URL, and the credentials that the origin expects.',
  SOURCE_UNREACHABLE: 'Check host name, port and network from the nodes of this cluster.',
  SOURCE_CHANGED: 'Download again.',
  DIGEST_MISMATCH: 'Check the digest; if it is right, the content at the origin is wrong.',
  UNAVAILABLE: 'Check that the service runs and that its address is right.',
  DEADLINE_EXCEEDED: 'Try again, with more time.',
  UNSUPPORTED: 'The --help of the program lists what it can do.',
};

function usage(): string {
  const width = Math.max(...Object.keys(programs).map((name) => name.length));
  const indent = ' '.repeat(width + 4);
  const lines = Object.entries(programs).map(
    ([name, { summary }]) =>
      `  ${name.padEnd(width)}  ${wrapped(summary, { columns: 80 - indent.length, indent: '' }).replaceAll('\n', `\n${indent}`)}`,
  );
  return `Dragonfly ${version}: container images, files and AI models from node to node.

Usage: dragonfly <program> [arguments]

${lines.join('\n')}

Run "dragonfly <program> --help" for its arguments.
`;
}

/** Under a supervisor standard input is a pipe, whose end means that the supervisor has died. */
function endWithSupervisor(signal: AbortSignal): AbortSignal {
  if (process.env['DRAGONFLY_SUPERVISED'] !== '1') return signal;
  const gone = new AbortController();
  process.stdin.on('close', () => gone.abort(new DOMException('the supervisor has gone', 'AbortError'))).resume();
  return AbortSignal.any([signal, gone.signal]);
}

// The reader of standard output has gone (`dfget -O - … | head`): exit like a program killed by SIGPIPE.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 141 : 1));

const [calledAs = 'dragonfly', ...argv] = process.argv.slice(2);
const { stdin, stdout, stderr, env } = process;
const code = await main(calledAs, argv, { stdin, stdout, stderr, env, signal: endWithSupervisor(abortOnSignals()) });
if (env['OTEL_EXPORTER_OTLP_ENDPOINT']) await (await import('./tracing.ts')).endTracing();
process.exit(code);
