import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { ConfirmButton } from '../components/confirm-button.tsx';
import type { TaskSummary } from '../events/event-types.ts';
import { useText } from '../i18n/language.tsx';
import { createJob } from '../jobs/job-queries.ts';
import { nameOf } from './task-queries.ts';

/** Takes a task's content off every node of its cluster; what came of it is a job's page. */
export function DeleteTaskButton({ task }: { readonly task: TaskSummary }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <ConfirmButton
      label={t('tasks.delete')}
      confirmation={{
        title: t('tasks.deleteTitle', { name: nameOf(task) }),
        reach: t('tasks.deleteReachOf', { peers: task.peers }),
        action: t('tasks.delete'),
        done: t('tasks.deleting'),
        run: async () => {
          const job = await createJob({
            type: 'delete_task',
            args: { task_id: task.id },
            scheduler_cluster_ids: [task.scheduler_cluster_id],
          });
          await client.invalidateQueries({ queryKey: ['jobs'] });
          await navigate(`/jobs/${job.id}`);
        },
      }}
    />
  );
}
