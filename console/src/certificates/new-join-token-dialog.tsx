import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { FormDialog } from '../components/form-dialog.tsx';
import { ChoiceInput, TextInput } from '../components/fields.tsx';
import { SecretDialog } from '../components/secret-dialog.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { joinTokensKey } from './certificate-queries.ts';

const lifetimesDays = [1, 7, 30, 365];
const msPerDay = 86_400_000;

export function NewJoinTokenDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const [secret, setSecret] = useState<string>();
  const form = useForm({
    initial: { name: '', bio: '', days: '7' },
    check: ({ name }) => ({ name: name.trim() === '' ? t('form.required') : undefined }),
    send: async ({ name, bio, days }) => {
      const expired_at = new Date(Date.now() + Number(days) * msPerDay).toISOString();
      const { token } = await dataOf(
        api.POST('/api/v1/join-tokens', { body: { name: name.trim(), bio: bio.trim(), expired_at } }),
      );
      setSecret(token);
      await client.invalidateQueries({ queryKey: joinTokensKey });
    },
  });
  if (secret !== undefined) return <SecretDialog secret={secret} onClose={onClose} />;
  return (
    <FormDialog title={t('joinTokens.create')} action={t('common.create')} form={form} onClose={onClose}>
      <TextInput field={form.field('name')} label={t('field.name')} autoFocus required />
      <TextInput field={form.field('bio')} label={t('field.description')} />
      <ChoiceInput
        field={form.field('days')}
        label={t('tokens.lifetime')}
        choices={lifetimesDays.map((days) => ({ value: String(days), label: t('tokens.days', { days }) }))}
      />
    </FormDialog>
  );
}
