/** Who asked for what, and what came of it. */
import Alert from '@mui/material/Alert';
import Stack from '@mui/material/Stack';
import type { ReactNode } from 'react';
import { Facts, type Fact } from '../components/facts.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useText } from '../i18n/language.tsx';
import type { PlainKey, Translate } from '../i18n/text.ts';
import { shownState, type Job } from './job-queries.ts';

/** Shown by themselves, or of no interest. */
const hidden = new Set(['headers', 'username', 'password', 'object_storage', 'hdfs', 'urls', 'url']);

export function JobFacts({ job }: { readonly job: Job }): ReactNode {
  const t = useText();
  const urls = urlsOf(job);
  const facts: Fact[] = [
    { name: t('field.state'), value: <StateChip state={shownState(job)} /> },
    { name: t('field.user'), value: job.user?.name ?? t('jobs.system') },
    {
      name: t('nav.clusters'),
      value: job.scheduler_clusters.map(({ name }) => name).join(', ') || t('jobs.allClusters'),
    },
    { name: t('field.created'), value: <TimeText at={job.created_at} /> },
    { name: t('field.updated'), value: <TimeText at={job.updated_at} /> },
    ...Object.entries(job.args).flatMap(([name, value]) => (hidden.has(name) ? [] : argument(name, value, t))),
  ];
  return (
    <Section title={t('jobs.facts')}>
      <Stack spacing={2}>
        {errorsOf(job).map((error) => (
          <Alert key={error} severity="error">
            {error}
          </Alert>
        ))}
        {urls.length > 0 && (
          <Facts facts={[{ name: 'URL', value: urls.map((url) => <div key={url}>{url}</div>), wide: true }]} />
        )}
        <Facts facts={facts} />
      </Stack>
    </Section>
  );
}

/** Arguments that have a name of their own; those of newer managers are shown by the name the API gives them. */
const names: Readonly<Record<string, PlainKey>> = {
  type: 'field.type',
  scope: 'preheat.scope',
  platform: 'preheat.platform',
  piece_length: 'task.pieceLength',
  tag: 'task.tag',
  application: 'task.application',
  task_id: 'tasks.id',
  ips: 'preheat.target.ips',
  count: 'preheat.target.count',
  percentage: 'preheat.target.percentage',
  filtered_query_params: 'preheat.filteredParams',
};

const values: Readonly<Record<string, PlainKey>> = {
  image: 'preheat.image',
  file: 'preheat.file',
  single_seed_peer: 'preheat.scope.single_seed_peer',
  all_seed_peers: 'preheat.scope.all_seed_peers',
  all_peers: 'preheat.scope.all_peers',
  audit: 'gc.audit',
  job: 'gc.job',
};

function argument(name: string, value: unknown, t: Translate): Fact[] {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return [];
  const label = names[name];
  const meaning = typeof value === 'string' ? values[value] : undefined;
  const text = typeof value === 'string' ? value : Array.isArray(value) ? value.join(', ') : JSON.stringify(value);
  return [{ name: label === undefined ? name : t(label), value: meaning === undefined ? text : t(meaning) }];
}

function urlsOf({ args }: Job): string[] {
  const { url, urls } = args as { url?: unknown; urls?: unknown };
  return [url, ...(Array.isArray(urls) ? (urls as unknown[]) : [])].filter(
    (one): one is string => typeof one === 'string',
  );
}

function errorsOf({ result }: Job): string[] {
  const { job_states: states = [] } = (result ?? {}) as { job_states?: readonly { error?: string }[] };
  return [...new Set(states.map(({ error }) => error ?? '').filter((error) => error !== ''))];
}
