/** What jobs that are no preheat found or did, by cluster. */
import Chip from '@mui/material/Chip';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { Section } from '../components/section.tsx';
import { useText } from '../i18n/language.tsx';
import { ClusterLink } from '../members/cluster-link.tsx';
import { useMay } from '../session/use-session.ts';
import { DeleteTaskButton } from '../tasks/delete-task-button.tsx';
import { subjectOf, type Job } from './job-queries.ts';

interface FoundPeer {
  readonly id?: string;
  readonly hostname: string;
  readonly ip: string;
  readonly host_type?: string;
  readonly description?: string;
}

interface ClusterResult {
  readonly scheduler_cluster_id?: number;
  readonly peers?: readonly FoundPeer[] | null;
  readonly success_tasks?: readonly FoundPeer[] | null;
  readonly failure_tasks?: readonly FoundPeer[] | null;
}

function resultsOf({ result }: Job): ClusterResult[] {
  const { job_states: states = [] } = (result ?? {}) as {
    job_states?: readonly { results?: readonly ClusterResult[] | null }[];
  };
  return states.flatMap(({ results }) => results ?? []);
}

export function JobResult({ job }: { readonly job: Job }): ReactNode {
  const t = useText();
  const may = useMay('jobs');
  if (job.type === 'gc' && job.result) {
    const { purged } = job.result as { purged?: number };
    return <Section title={t('jobs.result')}>{t('gc.purged', { count: purged ?? 0 })}</Section>;
  }
  if (job.type !== 'get_task' && job.type !== 'delete_task') return null;
  const results = resultsOf(job);
  if (results.length === 0) return null;
  const holders = results.reduce((sum, { peers }) => sum + (peers?.length ?? 0), 0);
  return (
    <Section
      title={t('jobs.result')}
      about={job.type === 'get_task' && holders > 0 ? t('tasks.heldBy', { nodes: holders }) : undefined}
      actions={
        may &&
        holders > 0 && (
          <DeleteTaskButton
            name={subjectOf(job)}
            nodes={holders}
            args={job.args}
            clusterIds={job.scheduler_clusters.map(({ id }) => id)}
          />
        )
      }
    >
      <Stack spacing={2}>
        {results.map((result) => (
          <ClusterFindings key={result.scheduler_cluster_id} result={result} />
        ))}
      </Stack>
    </Section>
  );
}

function ClusterFindings({ result }: { readonly result: ClusterResult }): ReactNode {
  const t = useText();
  const good = result.peers ?? result.success_tasks ?? [];
  const bad = result.failure_tasks ?? [];
  return (
    <Stack spacing={1}>
      <Typography variant="h3">
        {result.scheduler_cluster_id !== undefined && <ClusterLink id={result.scheduler_cluster_id} />}
      </Typography>
      {good.length + bad.length === 0 && <Typography color="textSecondary">{t('tasks.heldByNobody')}</Typography>}
      <Stack direction="row" useFlexGap spacing={1} sx={{ flexWrap: 'wrap' }}>
        {good.map((peer) => (
          <Chip key={`${peer.hostname} ${peer.ip}`} variant="outlined" label={`${peer.hostname} · ${peer.ip}`} />
        ))}
      </Stack>
      {bad.map((peer) => (
        <Typography key={`${peer.hostname} ${peer.ip}`} color="error">
          {peer.hostname} · {peer.ip}: {peer.description}
        </Typography>
      ))}
    </Stack>
  );
}
