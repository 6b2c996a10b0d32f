/** With these, schedulers and daemons prove that they belong, and get their first certificate. */
import AddIcon from '@mui/icons-material/Add';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { joinTokensKey, joinTokensQuery, type JoinToken } from './certificate-queries.ts';
import { NewJoinTokenDialog } from './new-join-token-dialog.tsx';

export function JoinTokens(): ReactNode {
  const t = useText();
  const may = useMay('join-tokens');
  const [creating, setCreating] = useState(false);
  const list = useListState([]);
  const query = useQuery(joinTokensQuery({ page: list.page, per_page: list.perPage }));
  const columns: Column<JoinToken>[] = [
    { key: 'name', header: t('field.name'), cell: ({ name }) => name },
    { key: 'bio', header: t('field.description'), cell: ({ bio }) => bio || '–', from: 'sm' },
    { key: 'expires', header: t('tokens.expires'), cell: ({ expired_at }) => <TimeText at={expired_at} /> },
    { key: 'created', header: t('field.created'), cell: ({ created_at }) => <TimeText at={created_at} />, from: 'sm' },
  ];
  if (may)
    columns.push({ key: 'actions', header: '', align: 'right', cell: (token) => <DeleteJoinToken token={token} /> });
  const create = may && (
    <Button
      variant="contained"
      startIcon={<AddIcon />}
      onClick={() => setCreating(true)}
      sx={{ alignSelf: 'flex-start' }}
    >
      {t('joinTokens.create')}
    </Button>
  );
  return (
    <Stack spacing={2}>
      {(query.data?.total ?? 0) > 0 && create}
      <DataTable
        label={t('certificates.tab.join-tokens')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('joinTokens.none')} text={t('joinTokens.noneText')}>
            <div>{create}</div>
          </EmptyState>
        }
      />
      {creating && <NewJoinTokenDialog onClose={() => setCreating(false)} />}
    </Stack>
  );
}

function DeleteJoinToken({ token: { id, name } }: { readonly token: JoinToken }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  return (
    <ConfirmButton
      compact
      label={t('tokens.delete', { name })}
      confirmation={{
        title: t('tokens.delete', { name }),
        reach: t('joinTokens.deleteReach'),
        action: t('common.delete'),
        done: t('tokens.deleted', { name }),
        run: async () => {
          await dataOf(api.DELETE('/api/v1/join-tokens/{id}', { params: { path: { id } } }));
          await client.invalidateQueries({ queryKey: joinTokensKey });
        },
      }}
    />
  );
}
