/** Who one is at a registry: at a source or at a target. */
import type { ReactNode } from 'react';
import { TextInput } from '../components/fields.tsx';
import type { FieldProps } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';

interface LoginFieldsProps {
  readonly username: FieldProps<string>;
  readonly password: FieldProps<string>;
  readonly labels: { readonly username: string; readonly password: string };
}

export function LoginFields({ username, password, labels }: LoginFieldsProps): ReactNode {
  const t = useText();
  return (
    <>
      <TextInput field={username} label={labels.username} help={t('replication.loginHelp')} autoComplete="off" />
      <TextInput field={password} label={labels.password} type="password" autoComplete="new-password" />
    </>
  );
}
