/** Changing one's password ends every session, this one too. */
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextInput } from '../components/fields.tsx';
import { Section } from '../components/section.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { passwordProblem } from '../session/password-rules.ts';
import { sessionKey } from '../session/session-query.ts';

export function PasswordForm({ userId: id }: { readonly userId: number }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const notify = useNotify();
  const form = useForm({
    initial: { old_password: '', new_password: '', again: '' },
    check: ({ old_password, new_password, again }) => ({
      old_password: old_password === '' ? t('form.required') : undefined,
      new_password: passwordProblem(new_password, t),
      again: again === new_password ? undefined : t('profile.notTheSame'),
    }),
    send: async ({ old_password, new_password }) => {
      const body = { old_password, new_password };
      await dataOf(api.POST('/api/v1/users/{id}/reset_password', { params: { path: { id } }, body }));
      notify.done(t('profile.passwordChanged'));
      client.setQueryData(sessionKey, null);
      await navigate('/signin');
    },
  });
  return (
    <Section title={t('profile.password')} about={t('profile.passwordAbout')}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          form.submit();
        }}
      >
        <Stack spacing={2} sx={{ maxWidth: 420 }}>
          <TextInput
            field={form.field('old_password')}
            label={t('profile.oldPassword')}
            type="password"
            autoComplete="current-password"
            required
          />
          <TextInput
            field={form.field('new_password')}
            label={t('profile.newPassword')}
            type="password"
            autoComplete="new-password"
            required
          />
          <TextInput
            field={form.field('again')}
            label={t('profile.again')}
            type="password"
            autoComplete="new-password"
            required
          />
          {form.error !== undefined && <ErrorNotice error={form.error} />}
          <Button type="submit" variant="contained" loading={form.pending} sx={{ alignSelf: 'flex-start' }}>
            {t('profile.changePassword')}
          </Button>
        </Stack>
      </form>
    </Section>
  );
}
