/** Asks every node whether it holds a task: by its URL, or by its id. The answer is a job of its own. */
import Button from '@mui/material/Button';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { FormDialog } from '../components/form-dialog.tsx';
import { ChoiceInput, TextInput } from '../components/fields.tsx';
import { useForm, type FieldProps } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { createJob } from '../jobs/job-queries.ts';

interface FindValues {
  readonly purpose: 'get_task' | 'delete_task';
  readonly what: string;
  readonly tag: string;
  readonly application: string;
}

export function FindTaskButton(): ReactNode {
  const t = useText();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant="contained" onClick={() => setOpen(true)}>
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
  const form = useForm<FindValues>({
    initial: { purpose: 'get_task', what: '', tag: '', application: '' },
    check: ({ what }) => ({
      what: isTaskId(what.trim()) || URL.canParse(what.trim()) ? undefined : t('tasks.badSearch'),
    }),
    send: async ({ purpose, what, tag, application }) => {
      const text = what.trim();
      const args = isTaskId(text) ? { task_id: text } : { url: text, tag, application };
      const job = await createJob({ type: purpose, args });
      await client.invalidateQueries({ queryKey: ['jobs'] });
      await navigate(`/jobs/${job.id}`);
    },
  });
  const deletes = form.values.purpose === 'delete_task';
  return (
    <FormDialog
      title={t('tasks.find')}
      action={t(deletes ? 'tasks.delete' : 'tasks.ask')}
      form={form}
      onClose={onClose}
    >
      <ChoiceInput
        field={form.field('purpose') as FieldProps<string>}
        label={t('tasks.purpose')}
        help={t(deletes ? 'tasks.deleteReach' : 'tasks.askHelp')}
        choices={[
          { value: 'get_task', label: t('tasks.ask') },
          { value: 'delete_task', label: t('tasks.delete') },
        ]}
      />
      <TextInput field={form.field('what')} label={t('tasks.urlOrId')} autoFocus required />
      <TextInput field={form.field('tag')} label={t('task.tag')} help={t('tasks.identityHelp')} />
      <TextInput field={form.field('application')} label={t('task.application')} help={t('tasks.identityHelp')} />
    </FormDialog>
  );
}

function isTaskId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
