import AddIcon from '@mui/icons-material/Add';
import Button from '@mui/material/Button';
import Chip from '@mui/material/Chip';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { Page } from '../components/page.tsx';
import { TextLink } from '../components/text-link.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { NewRoleDialog } from './new-role-dialog.tsx';
import { builtInRoles, rolesQuery } from './role-queries.ts';

/** There are few roles: the API hands over all of them. */
const onePage = { page: 1, perPage: 1000, filtered: false, setPage: () => undefined, setPerPage: () => undefined };

export function RolesPage(): ReactNode {
  const t = useText();
  const may = useMay('roles');
  const [creating, setCreating] = useState(false);
  const query = useQuery({ ...rolesQuery, select: (rows) => ({ rows, total: rows.length }) });
  const columns: Column<string>[] = [
    {
      key: 'role',
      header: t('roles.role'),
      cell: (role) => <TextLink to={`/roles/${encodeURIComponent(role)}`}>{role}</TextLink>,
    },
    {
      key: 'kind',
      header: t('field.type'),
      cell: (role) => builtInRoles.has(role) && <Chip size="small" label={t('roles.builtIn')} />,
    },
  ];
  if (may)
    columns.push({
      key: 'actions',
      header: '',
      align: 'right',
      cell: (role) => !builtInRoles.has(role) && <DeleteRole role={role} />,
    });
  const create = may && (
    <Button variant="contained" startIcon={<AddIcon />} onClick={() => setCreating(true)}>
      {t('roles.create')}
    </Button>
  );
  return (
    <Page title={t('nav.roles')} about={t('roles.about')} actions={create}>
      <DataTable
        label={t('nav.roles')}
        columns={columns}
        rowKey={(role) => role}
        query={query}
        list={onePage}
        empty={null}
      />
      {creating && <NewRoleDialog onClose={() => setCreating(false)} />}
    </Page>
  );
}

function DeleteRole({ role }: { readonly role: string }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  return (
    <ConfirmButton
      compact
      label={t('roles.delete', { role })}
      confirmation={{
        title: t('roles.delete', { role }),
        reach: t('roles.deleteReach'),
        action: t('common.delete'),
        done: t('roles.deleted', { role }),
        run: async () => {
          await dataOf(api.DELETE('/api/v1/roles/{role}', { params: { path: { role } } }));
          await client.invalidateQueries({ queryKey: ['roles'] });
        },
      }}
    />
  );
}
