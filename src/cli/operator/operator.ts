/** `dragonfly operator`: runs a control plane for every account of the cluster. */
import { resolve } from 'node:path';
import { Command as Parser } from 'commander';
import { DragonflyError } from '../../core/errors.ts';
import type { Command } from '../../core/process/command.ts';
import { createLogger } from '../../core/process/logger.ts';
import { parseArguments } from '../../core/process/service-command.ts';
import { kubernetesApi } from '../kubernetes/client.ts';
import { Controller } from './controller.ts';
import { ProcessController } from './process-controller.ts';

interface Flags {
  readonly kubernetes?: string;
  readonly accounts?: string;
  readonly stateDir?: string;
  readonly versions?: string;
}

const operatorParser = (): Parser =>
  new Parser('dragonfly operator')
    .description(
      'Keeps a control plane of its own for each account: each P2PManager resource of a Kubernetes cluster, or of files.',
    )
    .option('--kubernetes <url>', 'API server; by default the one of the cluster this pod is in')
    .option('--accounts <dir>', 'files with P2PManager resources: their control planes are processes of this machine')
    .option('--state-dir <dir>', 'where these keep what they have, one directory for each account')
    .option('--versions <dir>', 'executables for these, by version; by default this one')
    .exitOverride();

export const runOperator: Command = async (argv, io) => {
  const parser = operatorParser().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: () => undefined,
  });
  if (!(await parseArguments(parser, argv))) return 0;
  const { kubernetes, accounts, stateDir, versions } = parser.opts<Flags>();
  const logger = createLogger('operator', { level: 'info' });
  if (accounts === undefined) {
    await new Controller({ api: kubernetesApi(kubernetes, io.env), logger }).run(io.signal);
    return 0;
  }
  if (stateDir === undefined || kubernetes !== undefined)
    throw new DragonflyError('INVALID_ARGUMENT', '--accounts goes with --state-dir, and without --kubernetes');
  const places = { accounts: resolve(accounts), stateDirectory: resolve(stateDir) };
  await new ProcessController({ ...places, versions: versions && resolve(versions), logger }).run(io.signal);
  return 0;
};
