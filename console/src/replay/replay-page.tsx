/** One distribution of the past, watched again. */
import { queryOptions, useQuery } from '@tanstack/react-query';
import { useCallback, useState, useSyncExternalStore, type ReactNode } from 'react';
import { useParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { TimeText } from '../components/time-text.tsx';
import type { PeerState } from '../events/event-types.ts';
import { useText } from '../i18n/language.tsx';
import { PeerFacts } from '../swarm-view/peer-facts.tsx';
import { PeersOfTask } from '../swarm-view/peers-of-task.tsx';
import { SwarmCanvas } from '../swarm-view/swarm-canvas.tsx';
import { SwarmLegend } from '../swarm-view/swarm-legend.tsx';
import { ZonesOfTask } from '../swarm-view/zones-of-task.tsx';
import { TaskFigures } from '../tasks/task-figures.tsx';
import { nameOf } from '../tasks/task-queries.ts';
import type { Recording } from './recorded-swarm.ts';
import { ReplayControls } from './replay-controls.tsx';
import { ReplayPlayer } from './replay-player.ts';

export function ReplayPage(): ReactNode {
  const t = useText();
  const id = Number(useParams()['id']);
  const { data, error, refetch } = useQuery(recordingQuery(id));
  if (data) return <Replay key={id} recording={data} />;
  return (
    <Page title={t('replay.title')} crumbs={[{ label: t('nav.history'), to: '/history' }]}>
      {error ? <ErrorNotice error={error} retry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

/** What is past does not change. */
function recordingQuery(id: number) {
  return queryOptions({
    queryKey: ['recording', id],
    queryFn: ({ signal }) =>
      dataOf(api.GET('/api/v1/traffic/distributions/{id}/recording', { params: { path: { id } }, signal })),
    staleTime: Infinity,
  });
}

function Replay({ recording }: { readonly recording: Recording }): ReactNode {
  const t = useText();
  const [player] = useState(() => new ReplayPlayer([recording]));
  const [selected, setSelected] = useState<string>();
  const [model] = player.models;
  useSyncExternalStore(model?.subscribe ?? nothingChanges, () => model?.version);
  const pieces = model?.task?.piece_count ?? 0;
  const describe = useCallback((peer: PeerState) => <PeerFacts peer={peer} pieces={pieces} />, [pieces]);
  const task = model?.task;
  if (!task) return null;
  return (
    <Page
      title={nameOf(task)}
      about={
        <>
          {task.url} · <TimeText at={recording.distribution.ended_at_ms} />
        </>
      }
      crumbs={[{ label: t('nav.history'), to: '/history' }]}
    >
      <TaskFigures model={model} task={task} />
      <Section title={t('replay.title')} about={t('replay.about')}>
        <SwarmCanvas
          model={model}
          label={t('replay.label', { peers: task.peers, finished: task.peers_finished })}
          selected={selected}
          onSelect={setSelected}
          describe={describe}
        />
        <ReplayControls player={player} />
        <SwarmLegend />
      </Section>
      <ZonesOfTask model={model} />
      <PeersOfTask model={model} selected={selected} onSelect={setSelected} />
    </Page>
  );
}

const nothingChanges = () => () => undefined;
