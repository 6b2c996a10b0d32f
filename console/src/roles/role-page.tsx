import Alert from '@mui/material/Alert';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { errorText, ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { PermissionsTable, withPermission } from './permissions-table.tsx';
import { builtInRoles, permissionsQuery, roleQuery, type Permission } from './role-queries.ts';

export function RolePage(): ReactNode {
  const t = useText();
  const role = useParams()['role'] ?? '';
  const may = useMay('roles');
  const builtIn = builtInRoles.has(role);
  const { data: granted, error, refetch } = useQuery(roleQuery(role));
  const { data: known = [] } = useQuery(permissionsQuery);
  const change = useChange(role);
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!granted) return <Loading />;
  return (
    <Page title={role} crumbs={[{ label: t('nav.roles'), to: '/roles' }]}>
      {builtIn && <Alert severity="info">{t('roles.builtInHint')}</Alert>}
      <Section title={t('roles.permissions')} about={t('roles.permissionsAbout')}>
        <PermissionsTable
          known={known}
          granted={granted}
          disabled={!may || builtIn || change.isPending}
          onChange={(permission, on) => change.mutate({ permission, on })}
        />
      </Section>
    </Page>
  );
}

function useChange(role: string) {
  const t = useText();
  const notify = useNotify();
  const client = useQueryClient();
  const { queryKey } = roleQuery(role);
  return useMutation({
    mutationFn: ({ permission, on }: { permission: Permission; on: boolean }) => {
      const options = { params: { path: { role } }, body: permission };
      const path = '/api/v1/roles/{role}/permissions';
      return on ? dataOf(api.POST(path, options)) : dataOf(api.DELETE(path, options));
    },
    onSuccess: (_data, { permission, on }) => {
      client.setQueryData(
        queryKey,
        (before: Permission[] | undefined) => before && withPermission(before, permission, on),
      );
    },
    onError: (error) => notify.failed(errorText(error, t)),
    onSettled: () => client.invalidateQueries({ queryKey }),
  });
}
