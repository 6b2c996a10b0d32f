/** `dragonfly operator`: a control plane for every account that the cluster is told of. */
import { Command as Parser } from 'commander';
import type { Command } from '../../core/process/command.ts';
import { createLogger } from '../../core/process/logger.ts';
import { parseArguments } from '../../core/process/service-command.ts';
import { kubernetesApi } from '../kubernetes/client.ts';
import { Controller } from './controller.ts';

const operatorParser = (): Parser =>
  new Parser('dragonfly operator')
    .description('Keeps a control plane of its own for each P2PManager resource of a Kubernetes cluster.')
    .option('--kubernetes <url>', 'API server; by default the one of the cluster this pod is in')
    .exitOverride();

export const runOperator: Command = async (argv, io) => {
  const parser = operatorParser().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: () => undefined,
  });
  if (!(await parseArguments(parser, argv))) return 0;
  const api = kubernetesApi(parser.opts<{ kubernetes?: string }>().kubernetes, io.env);
  await new Controller({ api, logger: createLogger('operator', { level: 'info' }) }).run(io.signal);
  return 0;
};
