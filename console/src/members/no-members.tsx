/** How a cluster gets its first members: files and commands with this cluster's own addresses. */
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { CommandBlock } from '../components/command-block.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { useText } from '../i18n/language.tsx';
import { serviceQuery } from '../session/session-query.ts';

const defaultClusterId = 1;

interface Manager {
  readonly address: string;
  /** What a member needs to be let in where certificates are wanted: before its command, and in its file. */
  readonly token: string;
  readonly security: readonly string[];
}

function useManager(): Manager {
  const t = useText();
  const { data } = useQuery(serviceQuery);
  return {
    address: data?.addresses.grpc ?? `${window.location.hostname}:65003`,
    ...(data?.certificates === true
      ? { token: `DRAGONFLY_JOIN_TOKEN='${t('members.joinToken')}' `, security: ['security:', '  autoIssueCert: true'] }
      : { token: '', security: [] }),
  };
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
