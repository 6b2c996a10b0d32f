import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextInput } from '../components/fields.tsx';
import { TextLink } from '../components/text-link.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { Entrance } from './entrance.tsx';
import { passwordProblem } from './password-rules.ts';

export function SignUpPage(): ReactNode {
  const t = useText();
  const notify = useNotify();
  const navigate = useNavigate();
  const form = useForm({
    initial: { name: '', email: '', password: '' },
    check: ({ name, email, password }) => ({
      name: name.length < 3 ? t('form.tooShort', { min: 3 }) : undefined,
      email: email === '' ? t('form.required') : undefined,
      password: passwordProblem(password, t),
    }),
    send: (body) => dataOf(api.POST('/api/v1/users/signup', { body })),
    onDone: () => {
      notify.done(t('signUp.done'));
      void navigate('/signin');
    },
  });
  return (
    <Entrance title={t('signUp.title')}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          form.submit();
        }}
      >
        <Stack spacing={2}>
          <TextInput field={form.field('name')} label={t('user.name')} autoComplete="username" autoFocus required />
          <TextInput field={form.field('email')} label={t('user.email')} type="email" autoComplete="email" required />
          <TextInput
            field={form.field('password')}
            label={t('user.password')}
            type="password"
            autoComplete="new-password"
            required
          />
          {form.error !== undefined && <ErrorNotice error={form.error} />}
          <Button type="submit" variant="contained" size="large" loading={form.pending}>
            {t('signUp.action')}
          </Button>
        </Stack>
      </form>
      <Typography variant="body2">
        <TextLink to="/signin">{t('signUp.back')}</TextLink>
      </Typography>
    </Entrance>
  );
}
