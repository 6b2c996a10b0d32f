/** One node: how it is, what it gives, what became of it, and what wants attention about it. */
import Box from '@mui/material/Box';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useParams, useSearchParams } from 'react-router';
import { CopyButton } from '../components/copy-button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Facts } from '../components/facts.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { ConcernList } from '../concerns/concern-list.tsx';
import { useConcerns } from '../concerns/concern-queries.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { ClusterLink } from '../members/cluster-link.tsx';
import { useMay } from '../session/use-session.ts';
import { NodeDownloads } from './node-downloads.tsx';
import { nodeQuery, useLiveNodes, type NodeWithLog } from './node-queries.ts';
import { NodeTraffic } from './node-traffic.tsx';
import { UsageBar } from './usage-bar.tsx';

export function NodePage(): ReactNode {
  const t = useText();
  const id = useParams()['id'] ?? '';
  const [params] = useSearchParams();
  const cluster = Number(params.get('cluster')) || undefined;
  useLiveNodes();
  const seesTraffic = useMay('traffic', 'read');
  const { data: node, error, refetch } = useQuery(nodeQuery(id, cluster));
  const crumbs = [{ label: t('nav.nodes'), to: '/nodes' }];
  const concerns = useConcerns().filter((concern) => concern.node_id === id);
  if (!node) {
    return (
      <Page title={id} crumbs={crumbs}>
        {error ? <ErrorNotice error={error} retry={() => void refetch()} /> : <Loading />}
      </Page>
    );
  }
  return (
    <Page title={node.host_name || node.ip} crumbs={crumbs} actions={<StateChip state={node.state} />}>
      <ConcernList concerns={concerns} linked={false} />
      <Section title={t('nodes.now')}>
        <NodeFacts node={node} />
      </Section>
      {seesTraffic && <NodeTraffic name={node.host_name} />}
      <NodeDownloads id={id} cluster={cluster} />
      <Section title={t('nodes.log')} about={t('nodes.logAbout')}>
        <Stack component="ol" spacing={1} sx={{ m: 0, p: 0, listStyle: 'none' }}>
          {node.log.map(({ state, reason, at_ms: at }) => (
            <Stack component="li" key={`${at} ${state}`} direction="row" spacing={1.5} sx={{ alignItems: 'center' }}>
              <Box sx={{ minWidth: 110 }}>
                <StateChip state={state} />
              </Box>
              <TimeText at={at} />
              <Typography variant="body2" color="textSecondary">
                {reasonText(reason, t)}
              </Typography>
            </Stack>
          ))}
        </Stack>
      </Section>
    </Page>
  );
}

function NodeFacts({ node }: { readonly node: NodeWithLog }): ReactNode {
  const t = useText();
  const { number, percent } = useFormats();
  const served = node.uploads + node.uploads_failed;
  const address = `${node.ip.includes(':') ? `[${node.ip}]` : node.ip}:${node.port}`;
  return (
    <Facts
      facts={[
        { name: t('nodes.since'), value: <TimeText at={node.since_ms} /> },
        { name: t('nodes.joined'), value: <TimeText at={node.joined_at_ms} /> },
        ...(node.state === 'online' ? [] : [{ name: t('field.lastSeen'), value: <TimeText at={node.last_word_ms} /> }]),
        { name: t('nodes.address'), value: address },
        { name: t('nodes.reachable'), value: t(node.unreachable ? 'nodes.behindNat' : 'common.yes') },
        { name: t('field.type'), value: t(node.type === 'seed' ? 'swarm.seed' : 'swarm.normal') },
        { name: t('field.cluster'), value: <ClusterLink id={node.scheduler_cluster_id} /> },
        { name: t('field.idc'), value: node.idc },
        { name: t('field.location'), value: node.location },
        { name: t('peers.version'), value: node.version },
        { name: t('peers.system'), value: node.platform },
        { name: t('nodes.uploadsRunning'), value: number(node.uploads_running) },
        { name: t('nodes.uploads'), value: number(node.uploads) },
        { name: t('nodes.uploadsGood'), value: served === 0 ? '–' : percent(node.uploads / served) },
        { name: t('nodes.tasks'), value: number(node.tasks) },
        {
          name: t('nodes.disk'),
          value: <UsageBar label={t('nodes.disk')} total={node.disk_total} free={node.disk_free} />,
        },
        {
          name: t('nodes.memory'),
          value: <UsageBar label={t('nodes.memory')} total={node.memory_total} free={node.memory_available} />,
        },
        {
          name: t('nodes.id'),
          wide: true,
          value: (
            <>
              {node.id} <CopyButton text={node.id} />
            </>
          ),
        },
      ]}
    />
  );
}

function reasonText(reason: string, t: ReturnType<typeof useText>): string {
  switch (reason) {
    case 'stream':
    case 'unanswered':
    case 'expired':
    case 'vanished':
      return t(`nodes.reason.${reason}`);
    default:
      return reason;
  }
}
