/** Real container engines, each with directories and sockets of its own, driven by their own command lines. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '../../support/wait-for.ts';

const execute = promisify(execFile);
const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** Standard output; rejects with everything the program printed when it fails or takes longer than a minute. */
export async function run(program: string, args: readonly string[], { env = {} }: RunOptions = {}): Promise<string> {
  const { HTTP_PROXY: _1, HTTPS_PROXY: _2, http_proxy: _3, https_proxy: _4, ...inherited } = process.env;
  const { stdout } = await execute(program, args, {
    env: { ...inherited, PATH: path, ...env },
    timeout: 60_000,
    maxBuffer: 16 * 2 ** 20,
  });
  return stdout;
}

export interface LocalAddress extends AsyncDisposable {
  readonly address: string;
}

/** An address of this host that engines do not take for loopback, which they never reach by a proxy (RFC 5737 range). */
export async function localAddress(): Promise<LocalAddress> {
  const address = await addAddress();
  return {
    address,
    [Symbol.asyncDispose]: async () => {
      await run('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo']);
    },
  };
}

/** Another test file may have taken the same one at this moment: then another. */
async function addAddress(attempts = 20): Promise<string> {
  const address = `198.51.100.${randomInt(1, 255)}`;
  try {
    await run('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
    return address;
  } catch (error) {
    if (attempts <= 1) throw error;
    return addAddress(attempts - 1);
  }
}

export interface Engine extends AsyncDisposable {
  readonly socket: string;
}

async function started(
  child: ChildProcess,
  log: () => string,
  ready: () => Promise<unknown>,
  socket: string,
): Promise<Engine> {
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  };
  try {
    await waitFor(
      'the engine to answer',
      async () => {
        if (child.exitCode !== null) throw new Error(`the engine ended with ${child.exitCode}`);
        await ready();
        return true;
      },
      30_000,
    );
  } catch (error) {
    await stop();
    throw new Error(log().slice(-3000), { cause: error });
  }
  return { socket, [Symbol.asyncDispose]: stop };
}

function launch(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { child: ChildProcess; log: () => string } {
  const child = spawn(program, args, {
    env: { ...process.env, PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (text = (text + part).slice(-64_000)));
  return { child, log: () => text };
}

export async function startContainerd(directory: string): Promise<Engine> {
  await mkdir(directory, { recursive: true });
  const socket = join(directory, 'c.sock');
  const config = join(directory, 'config.toml');
  await writeFile(
    config,
    `version = 2\nroot = "${join(directory, 'root')}"\nstate = "${join(directory, 'state')}"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "${socket}"\n[ttrpc]\n  address = "${socket}.ttrpc"\n`,
  );
  const { child, log } = launch('containerd', ['-c', config]);
  return started(child, log, () => run('ctr', ['-a', socket, 'version']), socket);
}

export interface DockerOptions {
  readonly containerd: Engine;
  readonly config: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Words to put before the command, such as those that run it in a network namespace. */
  readonly enter?: readonly string[];
}

/** No bridge and no packet filter rules: it only pulls. */
export async function startDocker(directory: string, options: DockerOptions): Promise<Engine> {
  const { containerd, config, env = {}, enter = [] } = options;
  await mkdir(directory, { recursive: true });
  const socket = join(directory, 'd.sock');
  const configPath = join(directory, 'daemon.json');
  await writeFile(configPath, JSON.stringify(config));
  const place = [
    '--data-root',
    join(directory, 'root'),
    '--exec-root',
    join(directory, 'exec'),
    '--pidfile',
    join(directory, 'pid'),
  ];
  const [program, ...before] = [...enter, 'dockerd'];
  const { child, log } = launch(
    program,
    [
      ...before,
      '--config-file',
      configPath,
      '-H',
      `unix://${socket}`,
      ...place,
      '--containerd',
      containerd.socket,
      '--storage-driver',
      'vfs',
      '--iptables=false',
      '--bridge=none',
    ],
    env,
  );
  return started(child, log, () => run('docker', ['-H', `unix://${socket}`, 'version']), socket);
}
