/** While something is still being fetched: how fast, how long it will take, who will be last, and who waits for whom. */
import Alert from '@mui/material/Alert';
import Stack from '@mui/material/Stack';
import { useEffect, useState, type ReactNode } from 'react';
import { Facts } from '../components/facts.tsx';
import { Section } from '../components/section.tsx';
import type { PeerState, TaskSummary } from '../events/event-types.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { SwarmModel } from './swarm-model.ts';

const shownWaiting = 3;
const shownParents = 4;

export function SwarmNow({ model, task }: { readonly model: SwarmModel; readonly task: TaskSummary }): ReactNode {
  if (task.peers_running === 0 || task.piece_count === 0) return null;
  return <Now model={model} task={task} />;
}

function Now({ model, task }: { readonly model: SwarmModel; readonly task: TaskSummary }): ReactNode {
  const t = useText();
  const { duration, rate } = useFormats();
  const [, look] = useState(0);
  const { piecesPerSec, leftMs, slowest, waiting, changesInMs } = model.pace();
  // Frames render this anew. Peers that get nothing cause no frames: the next thing to say about them has its own time.
  useEffect(() => {
    if (changesInMs === Infinity) return;
    const timer = setTimeout(() => look((count) => count + 1), changesInMs);
    return () => clearTimeout(timer);
  });
  const nameOf = ({ host_name: name, ip }: PeerState): string => name || ip;
  return (
    <Section title={t('swarm.now')}>
      <Stack spacing={1.5}>
        <Facts
          facts={[
            { name: t('swarm.rate'), value: rate(piecesPerSec * task.piece_length) },
            { name: t('swarm.left'), value: leftMs === undefined ? '–' : duration(leftMs) },
            {
              name: t('swarm.last'),
              value: slowest ? t('swarm.lastFor', { name: nameOf(slowest.peer), time: duration(slowest.leftMs) }) : '–',
            },
          ]}
        />
        {waiting.slice(0, shownWaiting).map(({ peer, forMs }) => {
          const parents = model.parentsOf(peer.id).slice(0, shownParents).join(', ');
          const facts = { name: nameOf(peer), time: duration(forMs), parents };
          const text = isAtOrigin(peer) ? 'swarm.waitsOrigin' : parents === '' ? 'swarm.waits' : 'swarm.waitsFrom';
          return (
            <Alert key={peer.id} severity="warning">
              {t(text, facts)}
            </Alert>
          );
        })}
        {waiting.length > shownWaiting && (
          <Alert severity="warning">{t('swarm.moreWait', { count: waiting.length - shownWaiting })}</Alert>
        )}
      </Stack>
    </Section>
  );
}

function isAtOrigin({ state }: PeerState): boolean {
  return state === 'BackToSource';
}
