import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { FormDialog } from '../components/form-dialog.tsx';
import { TextInput } from '../components/fields.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { useSession } from '../session/use-session.ts';
import type { Config } from './config-queries.ts';

interface ConfigDialogProps {
  /** Absent: a new one. */
  readonly config: Config | undefined;
  readonly onClose: () => void;
}

export function ConfigDialog({ config, onClose }: ConfigDialogProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const { user } = useSession();
  const form = useForm({
    initial: { name: config?.name ?? '', value: config?.value ?? '', bio: config?.bio ?? '' },
    check: ({ name, value }) => ({
      name: name.trim() === '' ? t('form.required') : undefined,
      value: value === '' ? t('form.required') : undefined,
    }),
    send: async (values) => {
      const body = { ...values, name: values.name.trim(), user_id: config?.user_id ?? user.id };
      await (config
        ? dataOf(api.PATCH('/api/v1/configs/{id}', { params: { path: { id: config.id } }, body }))
        : dataOf(api.POST('/api/v1/configs', { body })));
      await client.invalidateQueries({ queryKey: ['configs'] });
    },
    onDone: onClose,
  });
  return (
    <FormDialog
      title={config ? t('configuration.edit', { name: config.name }) : t('configuration.create')}
      action={t(config ? 'common.save' : 'common.create')}
      form={form}
      onClose={onClose}
    >
      <TextInput
        field={form.field('name')}
        label={t('field.name')}
        disabled={config !== undefined}
        autoFocus={!config}
        required
      />
      <TextInput field={form.field('value')} label={t('configuration.value')} rows={3} required />
      <TextInput field={form.field('bio')} label={t('field.description')} />
    </FormDialog>
  );
}
