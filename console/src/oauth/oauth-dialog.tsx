/** A provider people may sign in with. Its secret goes in and never comes out again. */
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { FormDialog } from '../components/form-dialog.tsx';
import { TextInput } from '../components/fields.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import type { OauthProvider } from './oauth-queries.ts';

/** These are known by name; every other one needs its issuer. */
const knownProviders = new Set(['github', 'google']);

interface OauthDialogProps {
  /** Absent: a new one. */
  readonly provider: OauthProvider | undefined;
  readonly onClose: () => void;
}

export function OauthDialog({ provider, onClose }: OauthDialogProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const urlProblem = (url: string): string | undefined => (URL.canParse(url) ? undefined : t('form.badUrl', { url }));
  const form = useForm({
    initial: {
      name: provider?.name ?? '',
      issuer: provider?.issuer ?? '',
      client_id: provider?.client_id ?? '',
      client_secret: '',
      redirect_url: provider?.redirect_url ?? '',
      bio: provider?.bio ?? '',
    },
    check: ({ name, issuer, client_id, client_secret, redirect_url }) => ({
      name: /^[a-z0-9][a-z0-9-]*$/.test(name) ? undefined : t('oauth.badName'),
      issuer: issuer === '' ? (knownProviders.has(name) ? undefined : t('oauth.needsIssuer')) : urlProblem(issuer),
      client_id: client_id === '' ? t('form.required') : undefined,
      client_secret: client_secret === '' && !provider ? t('form.required') : undefined,
      redirect_url: urlProblem(redirect_url),
    }),
    send: async ({ client_secret, issuer, ...values }) => {
      const body = { ...values, ...(issuer === '' ? {} : { issuer }) };
      await (provider
        ? dataOf(
            api.PATCH('/api/v1/oauth/{id}', {
              params: { path: { id: provider.id } },
              body: { ...body, ...(client_secret === '' ? {} : { client_secret }) },
            }),
          )
        : dataOf(api.POST('/api/v1/oauth', { body: { ...body, client_secret } })));
      await client.invalidateQueries({ queryKey: ['oauth'] });
    },
    onDone: onClose,
  });
  const callback = new URL(`api/v1/users/signin/${form.values.name || 'github'}/callback`, document.baseURI).href;
  return (
    <FormDialog
      title={provider ? t('oauth.edit', { name: provider.name }) : t('oauth.create')}
      action={t(provider ? 'common.save' : 'common.create')}
      form={form}
      onClose={onClose}
    >
      <TextInput
        field={form.field('name')}
        label={t('field.name')}
        help={t('oauth.nameHelp')}
        autoFocus={!provider}
        required
      />
      <TextInput field={form.field('issuer')} label={t('oauth.issuer')} help={t('oauth.issuerHelp')} type="url" />
      <TextInput field={form.field('client_id')} label={t('oauth.clientId')} autoComplete="off" required />
      <TextInput
        field={form.field('client_secret')}
        label={t('oauth.clientSecret')}
        type="password"
        autoComplete="new-password"
        {...(provider && { help: t('oauth.secretKept') })}
        required={!provider}
      />
      <TextInput
        field={form.field('redirect_url')}
        label={t('oauth.redirectUrl')}
        help={callback}
        type="url"
        required
      />
      <TextInput field={form.field('bio')} label={t('field.description')} />
    </FormDialog>
  );
}
