/** `dragonfly preheater`: brings what a cluster's workloads will need to their nodes before they ask for it. */
import { Command as Parser } from 'commander';
import { DragonflyError } from '../../core/errors.ts';
import type { Command } from '../../core/process/command.ts';
import { createLogger } from '../../core/process/logger.ts';
import { parseArguments } from '../../core/process/service-command.ts';
import { kubernetesApi } from '../kubernetes/client.ts';
import { Preheater } from './controller.ts';

interface Flags {
  readonly manager: string;
  readonly tokenFile: string;
  readonly cluster?: string;
  readonly registryAuth?: string;
  readonly namespace: string;
  readonly selector: string;
  readonly maxNodes: string;
  readonly kserve?: boolean;
  readonly kubernetes?: string;
}

const preheaterParser = (): Parser =>
  new Parser('dragonfly preheater')
    .description('Brings images and files of workloads to the nodes they may land on, before they are started.')
    .requiredOption('--manager <url>', 'of the manager that does it')
    .requiredOption('--token-file <file>', 'personal access token for it, with the scope job')
    .option('--cluster <id>', "one of the manager's clusters; by default all")
    .option('--registry-auth <file>', 'credentials for registries, as in config.json of docker')
    .requiredOption('--namespace <namespace>', 'of the daemons')
    .option('--selector <labels>', 'of the pods of daemons', 'app.kubernetes.io/component=client')
    .option('--max-nodes <number>', 'most nodes for one workload', '100')
    .option('--kserve', 'local model caches of KServe, too')
    .option('--kubernetes <url>', 'API server; by default the one of the cluster this pod is in')
    .exitOverride();

export const runPreheater: Command = async (argv, io) => {
  const parser = preheaterParser().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: () => undefined,
  });
  if (!(await parseArguments(parser, argv))) return 0;
  const { manager, tokenFile, cluster, registryAuth, namespace, selector, maxNodes, kserve, kubernetes } =
    parser.opts<Flags>();
  if (!URL.canParse(manager) || !/^https?:/.test(manager))
    throw new DragonflyError('INVALID_ARGUMENT', `"${manager}" is not the URL of a manager`, {
      hint: 'Write it like http://manager.example.org:8080.',
    });
  const preheater = new Preheater({
    api: kubernetesApi(kubernetes, io.env),
    manager: {
      url: new URL(manager),
      tokenFile,
      clusterId: cluster === undefined ? undefined : wholeNumber('--cluster', cluster, 2 ** 31),
      registryAuthFile: registryAuth,
    },
    daemons: { namespace, selector },
    maxNodes: wholeNumber('--max-nodes', maxNodes, 1_000),
    kserve: kserve === true,
    logger: createLogger('preheater', { level: 'info' }),
  });
  await preheater.run(io.signal);
  return 0;
};

function wholeNumber(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" does not fit ${flag}`, { hint: `Choose 1 to ${max}.` });
}
