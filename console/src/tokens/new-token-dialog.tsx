/** Makes a token and shows it: this once, and never again. */
import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { FormDialog } from '../components/form-dialog.tsx';
import { ChoiceInput, SwitchInput, TextInput } from '../components/fields.tsx';
import { SecretDialog } from '../components/secret-dialog.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { tokensKey, type TokenScope } from './token-queries.ts';

const scopes: readonly TokenScope[] = ['job', 'cluster'];
const lifetimesDays = [7, 30, 90, 365];
const msPerDay = 86_400_000;

interface TokenValues {
  readonly name: string;
  readonly bio: string;
  readonly days: string;
  readonly scopes: readonly TokenScope[];
}

export function NewTokenDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const [secret, setSecret] = useState<string>();
  const form = useForm<TokenValues>({
    initial: { name: '', bio: '', days: '30', scopes: ['job'] },
    check: (values) => ({
      name: values.name.trim() === '' ? t('form.required') : undefined,
      scopes: values.scopes.length === 0 ? t('tokens.needsScope') : undefined,
    }),
    send: async ({ name, bio, days, scopes: chosen }) => {
      const expired_at = new Date(Date.now() + Number(days) * msPerDay).toISOString();
      const body = { name: name.trim(), bio: bio.trim(), scopes: [...chosen], expired_at };
      const { token } = await dataOf(api.POST('/api/v1/personal-access-tokens', { body }));
      setSecret(token);
      await client.invalidateQueries({ queryKey: tokensKey });
    },
  });
  if (secret !== undefined) return <SecretDialog secret={secret} onClose={onClose} />;
  const { value, onChange, problem } = form.field('scopes');
  return (
    <FormDialog title={t('tokens.create')} action={t('common.create')} form={form} onClose={onClose}>
      <TextInput field={form.field('name')} label={t('field.name')} autoFocus required />
      <TextInput field={form.field('bio')} label={t('field.description')} />
      <ChoiceInput
        field={form.field('days')}
        label={t('tokens.lifetime')}
        choices={lifetimesDays.map((days) => ({ value: String(days), label: t('tokens.days', { days }) }))}
      />
      <div>
        {scopes.map((scope, index) => (
          <SwitchInput
            key={scope}
            label={t(`tokens.scope.${scope}`)}
            field={{
              name: scope,
              value: value.includes(scope),
              problem: index === scopes.length - 1 ? problem : undefined,
              onChange: (on) => onChange(on ? [...value, scope] : value.filter((one) => one !== scope)),
            }}
          />
        ))}
      </div>
    </FormDialog>
  );
}
