/** The one line with which a machine becomes a node. */

export type NodeKind = 'peer' | 'seed';

interface JoinTarget {
  /** host:port of the manager's gRPC. */
  readonly address: string;
  /** Where the manager wants certificates. */
  readonly token?: string;
  readonly seedPeerClusterId?: number;
}

const defaultClusterId = 1;

export function joinCommand(
  kind: NodeKind,
  { address, token, seedPeerClusterId = defaultClusterId }: JoinTarget,
): string {
  const keys = [
    'scheduler.manager.enable=true',
    `scheduler.manager.netAddrs=[{type: tcp, addr: "${address}"}]`,
    ...(kind === 'seed'
      ? ['scheduler.manager.seedPeer.enable=true', `scheduler.manager.seedPeer.clusterID=${seedPeerClusterId}`]
      : []),
    ...(token === undefined ? [] : ['security.autoIssueCert=true']),
  ];
  const words = keys.map((key) => `--set ${quoted(key)}`);
  return [
    ...(token === undefined ? [] : [`DRAGONFLY_JOIN_TOKEN=${quoted(token)}`]),
    'dragonfly dfdaemon',
    ...words,
  ].join(' ');
}

/** As a shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w.:=/@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
