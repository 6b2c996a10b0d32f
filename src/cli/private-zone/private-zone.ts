/** `dragonfly private-zone`: keeps a name of a DNS zone pointed at the healthy dfdaemon pods, for clients outside the nodes. */
import { readFile } from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import { Command as Parser, CommanderError } from 'commander';
import { DragonflyError } from '../../core/errors.ts';
import type { Command } from '../../core/process/command.ts';
import { createLogger } from '../../core/process/logger.ts';
import { parseDurationMs } from '../../core/units.ts';
import { usageError } from '../../core/usage-error.ts';
import { kubernetesApi } from '../kubernetes/client.ts';
import type { DnsServer } from './dns-server.ts';
import type { TsigKey } from './dns-update.ts';
import { parseSelector } from './pods.ts';
import { ZoneKeeper } from './zone-keeper.ts';

interface Flags {
  readonly zone: string;
  readonly name: string;
  readonly server: string;
  readonly key?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly networks?: string;
  readonly selector: string;
  readonly nodeSelector: string;
  readonly port: string;
  readonly max: string;
  readonly ttl: string;
  readonly kubernetes?: string;
}

const dnsPort = 53;
const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

const zoneParser = (): Parser =>
  new Parser('dragonfly private-zone')
    .description('Keeps a name in a DNS zone pointed at the dfdaemon pods that are well (RFC 2136).')
    .requiredOption('--zone <zone>', 'zone that the server is the primary of')
    .requiredOption('--name <name>', 'name in it, such as c1.p2p.example.org')
    .requiredOption('--server <address>', 'host or host:port of the DNS server')
    .option('--key <file>', 'TSIG key: its name and its secret in base64, hmac-sha256')
    .option('--namespace <namespace>', 'of the pods; by default the one this pod is in')
    .option('--all-namespaces', 'pods of any: whoever may create one anywhere with these labels gets the clients')
    .option('--networks <CIDRs>', 'addresses that pods may have, comma between them; any by default')
    .option('--selector <labels>', 'of the pods', 'app.kubernetes.io/component=client')
    .option('--node-selector <labels>', 'only pods on nodes that have these labels', '')
    .option('--port <port>', 'that pods must take connections at', '65001')
    .option('--max <number>', 'most addresses', '8')
    .option('--ttl <duration>', 'how long clients may remember an address', '5s')
    .option('--kubernetes <url>', 'API server; by default the one of the cluster this pod is in')
    .exitOverride();

export const runPrivateZone: Command = async (argv, io) => {
  const parser = zoneParser().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: () => undefined,
  });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageError(error, 'Run "dragonfly private-zone --help" for the arguments.');
  }
  const flags = parser.opts<Flags>();
  const { zone, name, selector } = flags;
  const bare = (text: string): string => text.toLowerCase().replace(/\.$/, '');
  if (!bare(name).endsWith(`.${bare(zone)}`))
    throw new DragonflyError('INVALID_ARGUMENT', `${name} is not in the zone ${zone}`, {
      hint: `Write it whole: c1.${bare(zone)}.`,
    });
  const logger = createLogger('private-zone', { level: 'info' });
  const dns = await dnsOf(flags);
  if (!dns.key) logger.warn('without --key whoever answers at the address of the DNS server is believed');
  const keeper = new ZoneKeeper({
    api: kubernetesApi(flags.kubernetes, io.env),
    dns,
    zone,
    name,
    namespace: await namespaceOf(flags),
    networks: networksOf(flags.networks),
    selector,
    nodeSelector: parseSelector(flags.nodeSelector),
    port: wholeNumber('--port', flags.port, 65_535),
    max: wholeNumber('--max', flags.max, 100),
    ttlSeconds: Math.max(1, Math.round(parseDurationMs(flags.ttl) / 1000)),
    logger,
  });
  await keeper.run(io.signal);
  return 0;
};

/** Empty for all namespaces. Only the namespace restricts who can create a pod; labels do not. */
async function namespaceOf({ namespace, allNamespaces }: Flags): Promise<string> {
  if (allNamespaces === true) return '';
  const own = namespace ?? (await readFile(namespaceFile, 'utf8').catch(() => '')).trim();
  if (own !== '') return own;
  throw new DragonflyError('INVALID_ARGUMENT', 'this is not a pod, and no namespace is named', {
    hint: 'Add --namespace with that of the daemons, or --all-namespaces.',
  });
}

function networksOf(text: string | undefined): BlockList | undefined {
  if (text === undefined) return undefined;
  const networks = new BlockList();
  for (const network of text.split(',')) {
    const [address = '', prefix = ''] = network.trim().split('/');
    const bits = isIP(address) === 6 ? 128 : 32;
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)
      throw new DragonflyError('INVALID_ARGUMENT', `"${network}" is no network`, {
        hint: 'Write 10.0.0.0/8,fd00::/8.',
      });
    networks.addSubnet(address, Number(prefix), bits === 128 ? 'ipv6' : 'ipv4');
  }
  return networks;
}

async function dnsOf({ server, key }: Flags): Promise<DnsServer> {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+))(?::(?<port>\d{1,5}))?$/.exec(server);
  const host = match?.groups?.['v6'] ?? match?.groups?.['host'];
  if (host === undefined)
    throw new DragonflyError('INVALID_ARGUMENT', `"${server}" is not the address of a DNS server`, {
      hint: 'Write host or host:port.',
    });
  const port = Number(match?.groups?.['port'] ?? dnsPort);
  return { host, port, key: key === undefined ? undefined : await readKey(key) };
}

/** Accepts `name secret`, as people write it, and the output of tsig-keygen. */
async function readKey(path: string): Promise<TsigKey> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new DragonflyError('INVALID_ARGUMENT', `the key ${path} cannot be read`, { cause: error });
  }
  const generated = /key\s+"([^"]+)"\s*\{[^}]*secret\s+"([^"]+)"/s.exec(text);
  const [name, secret] = generated ? [generated[1], generated[2]] : text.trim().split(/\s+/);
  if (!name || !secret || !/^[A-Za-z0-9+/]+={0,2}$/.test(secret))
    throw new DragonflyError('INVALID_ARGUMENT', `${path} holds no TSIG key`, {
      hint: 'It holds the name and the secret in base64, or what "tsig-keygen -a hmac-sha256 NAME" prints.',
    });
  return { name, secret: Buffer.from(secret, 'base64') };
}

function wholeNumber(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" does not fit ${flag}`, { hint: `Choose 1 to ${max}.` });
}
