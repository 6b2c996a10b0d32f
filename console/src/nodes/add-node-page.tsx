/** One line to paste on a new machine, and the node as it arrives. */
import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import LinearProgress from '@mui/material/LinearProgress';
import Stack from '@mui/material/Stack';
import ToggleButton from '@mui/material/ToggleButton';
import ToggleButtonGroup from '@mui/material/ToggleButtonGroup';
import Typography from '@mui/material/Typography';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { joinTokensKey } from '../certificates/certificate-queries.ts';
import { CommandBlock } from '../components/command-block.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useText } from '../i18n/language.tsx';
import { useManagerAddress } from '../members/manager-address.ts';
import { useMay } from '../session/use-session.ts';
import { joinCommand, type NodeKind } from './join-command.ts';
import { keyOf, nodesQuery, pathOf, useLiveNodes, type Node } from './node-queries.ts';

const tokenLifetimeMs = 86_400_000;
const watchedNodes = 20;

export function AddNodePage(): ReactNode {
  const t = useText();
  const [kind, setKind] = useState<NodeKind>('peer');
  return (
    <Page title={t('addNode.title')} about={t('addNode.about')} crumbs={[{ label: t('nav.nodes'), to: '/nodes' }]}>
      <Section title={t('addNode.command')} about={t('addNode.commandAbout')}>
        <Stack spacing={2} sx={{ alignItems: 'flex-start' }}>
          <ToggleButtonGroup
            exclusive
            size="small"
            color="primary"
            value={kind}
            aria-label={t('field.type')}
            onChange={(_event, chosen: NodeKind | null) => chosen && setKind(chosen)}
          >
            <ToggleButton value="peer">{t('swarm.normal')}</ToggleButton>
            <ToggleButton value="seed">{t('swarm.seed')}</ToggleButton>
          </ToggleButtonGroup>
          <JoinCommand key={kind} kind={kind} />
        </Stack>
      </Section>
      <Arrivals />
    </Page>
  );
}

function JoinCommand({ kind }: { readonly kind: NodeKind }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const may = useMay('join-tokens');
  const { address, certificates } = useManagerAddress();
  const creation = useMutation({
    mutationFn: async () => {
      const now = new Date();
      const name = `${kind} ${now.toISOString()}`;
      const expired_at = new Date(now.getTime() + tokenLifetimeMs).toISOString();
      const { token } = await dataOf(api.POST('/api/v1/join-tokens', { body: { name, role: kind, expired_at } }));
      await client.invalidateQueries({ queryKey: joinTokensKey });
      return token;
    },
  });
  if (!certificates) return <Command text={joinCommand(kind, { address })} />;
  if (creation.data !== undefined)
    return (
      <>
        <Alert severity="warning">{t('addNode.secret')}</Alert>
        <Command text={joinCommand(kind, { address, token: creation.data })} />
      </>
    );
  return (
    <>
      {!may && <Alert severity="info">{t('addNode.mayNot')}</Alert>}
      {creation.error && <ErrorNotice error={creation.error} />}
      <Button variant="contained" loading={creation.isPending} disabled={!may} onClick={() => creation.mutate()}>
        {t('addNode.create')}
      </Button>
    </>
  );
}

function Command({ text }: { readonly text: string }): ReactNode {
  const t = useText();
  return <CommandBlock label={t('addNode.command')}>{text}</CommandBlock>;
}

/** Nodes that were not there when the page was opened, or have come back since. */
function Arrivals(): ReactNode {
  const t = useText();
  const [openedAtMs] = useState(() => Date.now());
  useLiveNodes();
  const { data } = useQuery(nodesQuery({ per_page: watchedNodes, sort: 'since' }));
  const arrived = (data?.rows ?? []).filter((node) => node.state === 'online' && node.since_ms >= openedAtMs);
  return (
    <Section title={t('addNode.arrived')}>
      {arrived.length === 0 ? (
        <Box role="status">
          <LinearProgress aria-label={t('addNode.waiting')} sx={{ mb: 1.5 }} />
          <Typography color="textSecondary">{t('addNode.waiting')}</Typography>
        </Box>
      ) : (
        <Stack component="ul" spacing={1} sx={{ m: 0, p: 0, listStyle: 'none' }}>
          {arrived.map((node) => (
            <Arrival key={keyOf(node)} node={node} />
          ))}
        </Stack>
      )}
    </Section>
  );
}

function Arrival({ node }: { readonly node: Node }): ReactNode {
  const t = useText();
  return (
    <Stack component="li" direction="row" spacing={1.5} sx={{ alignItems: 'center', flexWrap: 'wrap' }}>
      <StateChip state={node.state} />
      <TextLink to={pathOf(node)}>{node.host_name || node.ip}</TextLink>
      <Typography variant="body2" color="textSecondary">
        {node.ip} · {t(node.type === 'seed' ? 'swarm.seed' : 'swarm.normal')}
      </Typography>
      <TimeText at={node.since_ms} />
    </Stack>
  );
}
