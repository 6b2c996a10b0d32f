/** Asks every node whether it holds a task: by its URL, its digest or its id. The answer is a job of its own. */
import SearchIcon from '@mui/icons-material/SearchOutlined';
import Button from '@mui/material/Button';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { FormDialog } from '../components/form-dialog.tsx';
import { TextInput } from '../components/fields.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { createJob } from '../jobs/job-queries.ts';

export function FindTaskButton(): ReactNode {
  const t = useText();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant="contained" startIcon={<SearchIcon />} onClick={() => setOpen(true)}>
        {t('tasks.find')}
      </Button>
      {open && <FindTaskDialog onClose={() => setOpen(false)} />}
    </>
  );
}

function FindTaskDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const form = useForm({
    initial: { what: '', tag: '', application: '' },
    check: ({ what }) => ({
      what: taskIdOf(what) !== undefined || URL.canParse(what.trim()) ? undefined : t('tasks.badSearch'),
    }),
    send: async ({ what, tag, application }) => {
      const id = taskIdOf(what);
      const args = id === undefined ? { url: what.trim(), tag, application } : { task_id: id };
      const job = await createJob({ type: 'get_task', args });
      await client.invalidateQueries({ queryKey: ['jobs'] });
      await navigate(`/jobs/${job.id}`);
    },
  });
  return (
    <FormDialog title={t('tasks.find')} action={t('tasks.ask')} form={form} onClose={onClose}>
      <TextInput field={form.field('what')} label={t('tasks.what')} help={t('tasks.askHelp')} autoFocus required />
      {taskIdOf(form.values.what) === undefined && (
        <>
          <TextInput field={form.field('tag')} label={t('task.tag')} help={t('tasks.identityHelp')} />
          <TextInput field={form.field('application')} label={t('task.application')} help={t('tasks.identityHelp')} />
        </>
      )}
    </FormDialog>
  );
}

/** Blobs of images have their digest as their id. */
function taskIdOf(text: string): string | undefined {
  return /^(?:sha256:)?([0-9a-f]{64})$/.exec(text.trim().toLowerCase())?.[1];
}
