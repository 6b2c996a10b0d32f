import AddIcon from '@mui/icons-material/Add';
import EditIcon from '@mui/icons-material/EditOutlined';
import Button from '@mui/material/Button';
import IconButton from '@mui/material/IconButton';
import Stack from '@mui/material/Stack';
import Tooltip from '@mui/material/Tooltip';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { Page } from '../components/page.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { OauthDialog } from './oauth-dialog.tsx';
import { oauthQuery, type OauthProvider } from './oauth-queries.ts';

function Address({ url }: { readonly url: string }): ReactNode {
  return <span style={{ overflowWrap: 'anywhere' }}>{url}</span>;
}

export function OauthPage(): ReactNode {
  const t = useText();
  const may = useMay('oauth');
  const [edited, setEdited] = useState<OauthProvider | 'new'>();
  const list = useListState([]);
  const query = useQuery(oauthQuery({ page: list.page, per_page: list.perPage }));
  const columns: Column<OauthProvider>[] = [
    { key: 'name', header: t('field.name'), cell: ({ name }) => name },
    { key: 'client', header: t('oauth.clientId'), cell: ({ client_id }) => client_id, from: 'sm' },
    {
      key: 'redirect',
      header: t('oauth.redirectUrl'),
      cell: ({ redirect_url }) => <Address url={redirect_url} />,
      from: 'md',
    },
    { key: 'issuer', header: t('oauth.issuer'), cell: ({ issuer }) => <Address url={issuer || '–'} />, from: 'lg' },
    { key: 'updated', header: t('field.updated'), cell: ({ updated_at }) => <TimeText at={updated_at} />, from: 'sm' },
  ];
  if (may) {
    columns.push({
      key: 'actions',
      header: '',
      align: 'right',
      cell: (provider) => <Actions provider={provider} onEdit={() => setEdited(provider)} />,
    });
  }
  const create = may && (
    <Button variant="contained" startIcon={<AddIcon />} onClick={() => setEdited('new')}>
      {t('oauth.create')}
    </Button>
  );
  return (
    <Page title={t('nav.oauth')} about={t('oauth.about')} actions={create}>
      <DataTable
        label={t('nav.oauth')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('oauth.none')} text={t('oauth.noneText')}>
            {create}
          </EmptyState>
        }
      />
      {edited !== undefined && (
        <OauthDialog provider={edited === 'new' ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </Page>
  );
}

function Actions({
  provider: { id, name },
  onEdit,
}: {
  readonly provider: OauthProvider;
  readonly onEdit: () => void;
}): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const edit = t('oauth.edit', { name });
  return (
    <Stack direction="row" sx={{ justifyContent: 'flex-end' }}>
      <Tooltip title={edit}>
        <IconButton size="small" aria-label={edit} onClick={onEdit}>
          <EditIcon fontSize="small" />
        </IconButton>
      </Tooltip>
      <ConfirmButton
        compact
        label={t('oauth.delete', { name })}
        confirmation={{
          title: t('oauth.delete', { name }),
          reach: t('oauth.deleteReach'),
          action: t('common.delete'),
          done: t('oauth.deleted', { name }),
          run: async () => {
            await dataOf(api.DELETE('/api/v1/oauth/{id}', { params: { path: { id } } }));
            await client.invalidateQueries({ queryKey: ['oauth'] });
          },
        }}
      />
    </Stack>
  );
}
