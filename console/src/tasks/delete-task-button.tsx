import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { useText } from '../i18n/language.tsx';
import { createJob } from '../jobs/job-queries.ts';

interface DeleteTaskButtonProps {
  readonly name: string;
  /** How many nodes hold it. */
  readonly nodes: number;
  /** As jobs name a task: by its id, or by what the id is made of. */
  readonly args: Readonly<Record<string, unknown>>;
  /** None: all. */
  readonly clusterIds: readonly number[];
}

/** Takes a task's content off every node that holds it; what came of it is a job's page. */
export function DeleteTaskButton({ name, nodes, args, clusterIds }: DeleteTaskButtonProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <ConfirmButton
      label={t('tasks.delete')}
      confirmation={{
        title: t('tasks.deleteTitle', { name }),
        reach: t('tasks.deleteReachOf', { nodes }),
        action: t('tasks.delete'),
        done: t('tasks.deleting'),
        run: async () => {
          const job = await createJob({ type: 'delete_task', args, scheduler_cluster_ids: [...clusterIds] });
          await client.invalidateQueries({ queryKey: ['jobs'] });
          await navigate(`/jobs/${job.id}`);
        },
      }}
    />
  );
}
