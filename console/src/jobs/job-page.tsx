import Button from '@mui/material/Button';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate, useParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { errorText, ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { jobQuery, subjectOf, typeOf, type Job } from './job-queries.ts';
import { JobFacts } from './job-facts.tsx';
import { JobProgressSection } from './job-progress.tsx';
import { JobResult } from './job-result.tsx';

export function JobPage(): ReactNode {
  const id = Number(useParams()['id']);
  const { data, error, refetch } = useQuery(jobQuery(id));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  return data ? <ShownJob job={data} /> : <Loading />;
}

function ShownJob({ job }: { readonly job: Job }): ReactNode {
  const t = useText();
  const may = useMay('jobs');
  return (
    <Page
      title={`${t(`jobType.${typeOf(job)}`)} #${job.id}`}
      about={job.bio || subjectOf(job)}
      crumbs={[{ label: t('nav.jobs'), to: '/jobs' }]}
      actions={may && <JobActions job={job} />}
    >
      <JobFacts job={job} />
      {job.progress && job.progress.total > 0 && <JobProgressSection progress={job.progress} />}
      <JobResult job={job} />
    </Page>
  );
}

function JobActions({ job: { id, state } }: { readonly job: Job }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const notify = useNotify();
  const path = { params: { path: { id } } };
  const refresh = (): Promise<void> => client.invalidateQueries({ queryKey: ['jobs'] });
  const retry = useMutation({
    mutationFn: () => dataOf(api.POST('/api/v1/jobs/{id}/retry', path)),
    onSuccess: refresh,
    onError: (error) => notify.failed(errorText(error, t)),
  });
  if (state === 'PENDING') {
    return (
      <ConfirmButton
        label={t('jobs.cancel')}
        confirmation={{
          title: t('jobs.cancelTitle', { id }),
          reach: t('jobs.cancelReach'),
          action: t('jobs.cancel'),
          done: t('jobs.cancelled'),
          run: async () => {
            await dataOf(api.POST('/api/v1/jobs/{id}/cancel', path));
            await refresh();
          },
        }}
      />
    );
  }
  return (
    <>
      {(state === 'FAILURE' || state === 'CANCELLED') && (
        <Button variant="contained" loading={retry.isPending} onClick={() => retry.mutate()}>
          {t('jobs.retry')}
        </Button>
      )}
      <ConfirmButton
        label={t('common.delete')}
        confirmation={{
          title: t('jobs.deleteTitle', { id }),
          reach: t('jobs.deleteReach'),
          action: t('common.delete'),
          done: t('jobs.deleted', { id }),
          run: async () => {
            await dataOf(api.DELETE('/api/v1/jobs/{id}', path));
            await navigate('/jobs');
            await refresh();
          },
        }}
      />
    </>
  );
}
