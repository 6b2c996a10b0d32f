/** How a cluster gets its first members: files and commands with this cluster's own addresses. */
import type { ReactNode } from 'react';
import { CommandBlock } from '../components/command-block.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { useText } from '../i18n/language.tsx';
import { useManagerAddress } from './manager-address.ts';

const defaultClusterId = 1;

/** What a member needs to be let in where certificates are wanted: before its command, and in its file. */
function useManager(): { readonly address: string; readonly token: string; readonly security: readonly string[] } {
  const t = useText();
  const { address, certificates } = useManagerAddress();
  return certificates
    ? {
        address,
        token: `DRAGONFLY_JOIN_TOKEN='${t('members.joinToken')}' `,
        security: ['security:', '  autoIssueCert: true'],
      }
    : { address, token: '', security: [] };
}

export function NoSchedulers({ clusterId = defaultClusterId }: { readonly clusterId?: number | undefined }): ReactNode {
  const t = useText();
  const { address, token, security } = useManager();
  return (
    <EmptyState title={t('schedulers.none')} text={t('schedulers.noneText')}>
      <CommandBlock label={t('members.commands')}>
        {[
          `cat > scheduler.yaml <<'END'`,
          'manager:',
          `  addr: http://${address}`,
          `  schedulerClusterID: ${clusterId}`,
          ...security,
          'END',
          `${token}scheduler --config scheduler.yaml`,
        ].join('\n')}
      </CommandBlock>
    </EmptyState>
  );
}

export function NoPeers({
  seed = false,
  clusterId = defaultClusterId,
}: {
  readonly seed?: boolean;
  readonly clusterId?: number | undefined;
}): ReactNode {
  const t = useText();
  const { address, token, security } = useManager();
  const seedLines = seed ? ['seedPeer:', '  enable: true', '  type: super', `  clusterID: ${clusterId}`] : [];
  return (
    <EmptyState
      title={t(seed ? 'seedPeers.none' : 'peers.none')}
      text={t(seed ? 'seedPeers.noneText' : 'peers.noneText')}
    >
      <CommandBlock label={t('members.commands')}>
        {[
          `cat > dfdaemon.yaml <<'END'`,
          'manager:',
          `  addr: http://${address}`,
          ...seedLines,
          ...security,
          'END',
          `${token}dfdaemon --config dfdaemon.yaml`,
        ].join('\n')}
      </CommandBlock>
    </EmptyState>
  );
}
