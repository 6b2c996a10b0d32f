/** Three ways to bring the same content to many nodes, side by side: why this product is built as it is. */
import Box from '@mui/material/Box';
import Typography from '@mui/material/Typography';
import { useState, useSyncExternalStore, type ReactNode } from 'react';
import spreads, { type Spread } from 'virtual:spreads';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import type { PeerState } from '../events/event-types.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { Recording } from '../replay/recorded-swarm.ts';
import { ReplayControls } from '../replay/replay-controls.tsx';
import { ReplayPlayer } from '../replay/replay-player.ts';
import { SwarmCanvas } from '../swarm-view/swarm-canvas.tsx';
import { SwarmLegend } from '../swarm-view/swarm-legend.tsx';
import type { SwarmModel } from '../swarm-view/swarm-model.ts';

export function ExplainedPage(): ReactNode {
  const t = useText();
  const { bytes, duration } = useFormats();
  const [player] = useState(() => new ReplayPlayer(spreads.map(asRecording)));
  const [first] = spreads;
  const about = first && {
    size: bytes(first.content_length),
    nodes: nodesOf(first),
    limit: duration(lastMsOf(first) / first.r),
  };
  return (
    <Page title={t('explained.title')} about={about && t('explained.about', about)}>
      <Box sx={{ display: 'grid', gap: 2, gridTemplateColumns: { xs: '1fr', lg: 'repeat(3, minmax(0, 1fr))' } }}>
        {spreads.map((spread, index) => {
          const model = player.models[index];
          return model && <OneWay key={spread.arm} spread={spread} model={model} />;
        })}
      </Box>
      <Box>
        <ReplayControls player={player} />
        <SwarmLegend />
      </Box>
    </Page>
  );
}

function OneWay({ spread, model }: { readonly spread: Spread; readonly model: SwarmModel }): ReactNode {
  const t = useText();
  const { duration, number } = useFormats();
  useSyncExternalStore(model.subscribe, () => model.version);
  const nodes = nodesOf(spread);
  const finished = [...model.peers.values()].filter((peer) => peer.type === 'normal' && peer.finished_at_ms > 0).length;
  return (
    <Section title={t(`explained.${spread.arm}`)} about={t(`explained.${spread.arm}About`)}>
      <SwarmCanvas
        model={model}
        label={t('replay.label', { peers: nodes, finished })}
        selected={undefined}
        onSelect={nothing}
        describe={hostName}
        height={300}
      />
      <Typography sx={{ mt: 1.5, fontWeight: 650 }}>
        {t('explained.last', { time: duration(lastMsOf(spread)) })} ·{' '}
        {t('explained.times', { ratio: number(Number(spread.r.toFixed(1))) })}
      </Typography>
      <Typography color="textSecondary">{t('explained.done', { finished, nodes })}</Typography>
    </Section>
  );
}

const nothing = (): void => undefined;
const hostName = ({ host_name: name }: PeerState): ReactNode => name;

function nodesOf({ peers }: Spread): number {
  return peers.filter(({ type }) => type === 'normal').length;
}

function lastMsOf({ peers }: Spread): number {
  return peers.reduce((last, { type, ended_ms: end }) => (type === 'normal' ? Math.max(last, end) : last), 1);
}

/** In the shape of one that really was; of a simulated one there is no more to tell. */
function asRecording(spread: Spread): Recording {
  const { moves, piece_length, piece_count, step_ms, content_length } = spread;
  return {
    piece_length,
    piece_count,
    step_ms,
    moves: [...moves],
    peers: spread.peers.map((peer) => ({ ...peer, ip: '', idc: '', failed: false, held_before: false })),
    distribution: {
      id: 0,
      scheduler_cluster_id: 0,
      task_id: spread.arm,
      url: '',
      tag: '',
      application: '',
      content_length,
      started_at_ms: 0,
      ended_at_ms: lastMsOf(spread),
      downloads: nodesOf(spread),
      failures: 0,
      origin_bytes: 0,
      peer_bytes: 0,
      last_node: '',
      slowest_ms: 0,
      median_ms: 0,
      copies: 0,
    },
  };
}
