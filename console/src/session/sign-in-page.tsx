import Button from '@mui/material/Button';
import Divider from '@mui/material/Divider';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextInput } from '../components/fields.tsx';
import { TextLink } from '../components/text-link.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { Entrance } from './entrance.tsx';
import { ProviderButtons } from './provider-buttons.tsx';
import { serviceQuery, sessionQuery } from './session-query.ts';

export function SignInPage(): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const { data: service } = useQuery(serviceQuery);
  const form = useForm({
    initial: { name: '', password: '' },
    check: ({ name, password }) => ({
      name: name === '' ? t('form.required') : undefined,
      password: password === '' ? t('form.required') : undefined,
    }),
    send: (body) => dataOf(api.POST('/api/v1/users/signin', { body })),
    onDone: () => void enter(),
  });
  const enter = async (): Promise<void> => {
    await client.fetchQuery({ ...sessionQuery, staleTime: 0 });
    await navigate(localPath(params.get('next')), { replace: true });
  };
  return (
    <Entrance title={t('signIn.title')}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          form.submit();
        }}
      >
        <Stack spacing={2}>
          <TextInput field={form.field('name')} label={t('user.name')} autoComplete="username" autoFocus required />
          <TextInput
            field={form.field('password')}
            label={t('user.password')}
            type="password"
            autoComplete="current-password"
            required
          />
          {form.error !== undefined && <ErrorNotice error={form.error} />}
          <Button type="submit" variant="contained" size="large" loading={form.pending}>
            {t('signIn.action')}
          </Button>
        </Stack>
      </form>
      {service && service.oauth.length > 0 && (
        <>
          <Divider>{t('signIn.or')}</Divider>
          <ProviderButtons providers={service.oauth} />
        </>
      )}
      {service?.sign_up === true && (
        <Typography variant="body2">
          {t('signIn.noAccount')} <TextLink to="/signup">{t('signUp.title')}</TextLink>
        </Typography>
      )}
    </Entrance>
  );
}

/** Only ever a place of this console: a link from elsewhere must not lead away after the sign-in. */
function localPath(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : '/';
}
