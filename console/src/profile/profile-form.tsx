import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf, type Schemas } from '../api/client.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextInput } from '../components/fields.tsx';
import { Section } from '../components/section.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { sessionKey } from '../session/session-query.ts';

export function ProfileForm({ user }: { readonly user: Schemas['User'] }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const notify = useNotify();
  const { id, email, phone, location, bio } = user;
  const form = useForm({
    initial: { email, phone, location, bio },
    send: async (body) => {
      await dataOf(api.PATCH('/api/v1/users/{id}', { params: { path: { id } }, body }));
      await client.invalidateQueries({ queryKey: sessionKey });
      notify.done(t('common.saved'));
    },
  });
  return (
    <Section title={t('profile.facts')}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          form.submit();
        }}
      >
        <Box sx={{ display: 'grid', gap: 2, gridTemplateColumns: { xs: '1fr', md: '1fr 1fr' } }}>
          <TextInput field={form.field('email')} label={t('user.email')} type="email" autoComplete="email" />
          <TextInput field={form.field('phone')} label={t('user.phone')} autoComplete="tel" />
          <TextInput field={form.field('location')} label={t('field.location')} />
          <TextInput field={form.field('bio')} label={t('field.description')} />
          {form.error !== undefined && <ErrorNotice error={form.error} />}
        </Box>
        <Button type="submit" variant="contained" loading={form.pending} sx={{ mt: 2 }}>
          {t('common.save')}
        </Button>
      </form>
    </Section>
  );
}
