/** Who asked for what, and what came of it. */
import Alert from '@mui/material/Alert';
import Stack from '@mui/material/Stack';
import type { ReactNode } from 'react';
import { Facts, type Fact } from '../components/facts.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useText } from '../i18n/language.tsx';
import type { Job } from './job-queries.ts';

/** Shown by themselves, or of no interest. */
const hidden = new Set(['headers', 'username', 'password', 'object_storage', 'hdfs', 'urls', 'url']);

export function JobFacts({ job }: { readonly job: Job }): ReactNode {
  const t = useText();
  const urls = urlsOf(job);
  const facts: Fact[] = [
    { name: t('field.state'), value: <StateChip state={job.state} /> },
    { name: t('field.user'), value: job.user?.name ?? t('jobs.system') },
    {
      name: t('nav.clusters'),
      value: job.scheduler_clusters.map(({ name }) => name).join(', ') || t('jobs.allClusters'),
    },
    { name: t('field.created'), value: <TimeText at={job.created_at} /> },
    { name: t('field.updated'), value: <TimeText at={job.updated_at} /> },
    ...Object.entries(job.args).flatMap(([name, value]) => (hidden.has(name) ? [] : argument(name, value))),
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

function argument(name: string, value: unknown): Fact[] {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return [];
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return [{ name: spoken(name), value: typeof value === 'string' ? spoken(text) : text }];
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

/** `single_seed_peer` → `Single seed peer`. */
function spoken(word: string): string {
  return /^[a-z]+(_[a-z]+)*$/.test(word) ? word.charAt(0).toUpperCase() + word.slice(1).replaceAll('_', ' ') : word;
}
