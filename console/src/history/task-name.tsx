/** The content of a task by its address, leading to the task. */
import Box from '@mui/material/Box';
import type { ReactNode } from 'react';
import { TextLink } from '../components/text-link.tsx';
import type { Distribution } from './history-queries.ts';

export function TaskName({ task }: { readonly task: Pick<Distribution, 'task_id' | 'url'> }): ReactNode {
  // A long address would be broken after every few letters, beside so many figures.
  return (
    <Box sx={{ minWidth: { xs: 180, lg: 300 } }}>
      <TextLink to={`/tasks/${task.task_id}`}>{task.url || task.task_id.slice(0, 12)}</TextLink>
    </Box>
  );
}
