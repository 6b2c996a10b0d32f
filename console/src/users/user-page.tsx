import Stack from '@mui/material/Stack';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate, useParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Facts } from '../components/facts.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay, useSession } from '../session/use-session.ts';
import { UserRoles } from './user-roles.tsx';
import { userQuery, type User } from './user-queries.ts';

export function UserPage(): ReactNode {
  const id = Number(useParams()['id']);
  const { data, error, refetch } = useQuery(userQuery(id));
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  return data ? <ShownUser user={data} /> : <Loading />;
}

function ShownUser({ user }: { readonly user: User }): ReactNode {
  const t = useText();
  const may = useMay('users');
  const self = useSession().user.id === user.id;
  return (
    <Page
      title={user.name}
      crumbs={[{ label: t('nav.users'), to: '/users' }]}
      actions={may && !self && <UserActions user={user} />}
    >
      <Stack spacing={2.5}>
        <Section title={t('users.facts')}>
          <Facts
            facts={[
              { name: t('field.state'), value: <StateChip state={user.state} /> },
              { name: t('user.email'), value: user.email },
              { name: t('user.phone'), value: user.phone },
              { name: t('field.location'), value: user.location },
              { name: t('field.description'), value: user.bio },
              { name: t('field.created'), value: <TimeText at={user.created_at} /> },
            ]}
          />
        </Section>
        <UserRoles user={user} />
      </Stack>
    </Page>
  );
}

function UserActions({ user: { id, name, state } }: { readonly user: User }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const path = { params: { path: { id } } };
  const enabled = state === 'enable';
  const turn = t(enabled ? 'users.disable' : 'users.enable');
  const setState = async (): Promise<void> => {
    await dataOf(api.PATCH('/api/v1/users/{id}', { ...path, body: { state: enabled ? 'disable' : 'enable' } }));
    await client.invalidateQueries({ queryKey: ['users'] });
  };
  const remove = async (): Promise<void> => {
    await dataOf(api.DELETE('/api/v1/users/{id}', path));
    await navigate('/users');
    client.removeQueries({ queryKey: ['users', 'one', id] });
    await client.invalidateQueries({ queryKey: ['users'] });
  };
  return (
    <>
      <ConfirmButton
        label={turn}
        confirmation={{
          title: `${turn}: ${name}`,
          reach: t(enabled ? 'users.disableReach' : 'users.enableReach'),
          action: turn,
          done: t('common.saved'),
          run: setState,
        }}
      />
      <ConfirmButton
        label={t('common.delete')}
        confirmation={{
          title: t('users.delete', { name }),
          reach: t('users.deleteReach'),
          action: t('common.delete'),
          done: t('users.deleted', { name }),
          run: remove,
        }}
      />
    </>
  );
}
