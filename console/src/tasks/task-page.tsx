/** One task, live: who holds what, where pieces flow, what the origin had to give. */
import Alert from '@mui/material/Alert';
import { useCallback, useState, type ReactNode } from 'react';
import { useParams, useSearchParams } from 'react-router';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import type { PeerState } from '../events/event-types.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { PeerFacts } from '../swarm-view/peer-facts.tsx';
import { PeersOfTask } from '../swarm-view/peers-of-task.tsx';
import { SwarmCanvas } from '../swarm-view/swarm-canvas.tsx';
import { SwarmNow } from '../swarm-view/swarm-now.tsx';
import { SwarmLegend } from '../swarm-view/swarm-legend.tsx';
import { useSwarm } from '../swarm-view/use-swarm.ts';
import { ZonesOfTask } from '../swarm-view/zones-of-task.tsx';
import { DeleteTaskButton } from './delete-task-button.tsx';
import { TaskFigures } from './task-figures.tsx';
import { nameOf } from './task-queries.ts';

export function TaskPage(): ReactNode {
  const id = useParams()['id'] ?? '';
  const [params] = useSearchParams();
  const cluster = params.get('cluster') ?? undefined;
  return <LiveTask key={`${cluster ?? ''} ${id}`} id={id} cluster={cluster} />;
}

function LiveTask({ id, cluster }: { readonly id: string; readonly cluster: string | undefined }): ReactNode {
  const t = useText();
  const may = useMay('jobs');
  const { model, absent } = useSwarm(id, cluster);
  const [selected, setSelected] = useState<string>();
  const { task } = model;
  const pieces = task?.piece_count ?? 0;
  const describe = useCallback((peer: PeerState) => <PeerFacts peer={peer} pieces={pieces} />, [pieces]);
  if (!task) {
    return (
      <Page title={`${id.slice(0, 12)}…`} crumbs={[{ label: t('nav.tasks'), to: '/tasks' }]}>
        {absent ? <Alert severity="info">{t('task.waiting')}</Alert> : <Loading />}
      </Page>
    );
  }
  const label = t('swarm.label', { peers: task.peers, finished: task.peers_finished });
  return (
    <Page
      title={nameOf(task)}
      about={task.url}
      crumbs={[{ label: t('nav.tasks'), to: '/tasks' }]}
      actions={
        may && (
          <DeleteTaskButton
            name={nameOf(task)}
            nodes={task.peers}
            args={{ task_id: task.id }}
            clusterIds={[task.scheduler_cluster_id]}
          />
        )
      }
    >
      {absent && <Alert severity="info">{t('task.ended')}</Alert>}
      <TaskFigures model={model} task={task} />
      <SwarmNow model={model} task={task} />
      <Section title={t('swarm.title')} about={t('swarm.about')}>
        <SwarmCanvas model={model} label={label} selected={selected} onSelect={setSelected} describe={describe} />
        <SwarmLegend />
      </Section>
      <ZonesOfTask model={model} />
      <PeersOfTask model={model} selected={selected} onSelect={setSelected} />
    </Page>
  );
}
