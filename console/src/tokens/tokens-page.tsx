import AddIcon from '@mui/icons-material/Add';
import BlockIcon from '@mui/icons-material/Block';
import Button from '@mui/material/Button';
import Chip from '@mui/material/Chip';
import Stack from '@mui/material/Stack';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { ChoiceFilter, TextFilter } from '../components/filter-fields.tsx';
import { Page } from '../components/page.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { NewTokenDialog } from './new-token-dialog.tsx';
import { tokensKey, tokensQuery, type Token } from './token-queries.ts';

export function TokensPage(): ReactNode {
  const t = useText();
  const may = useMay('personal-access-tokens');
  const [creating, setCreating] = useState(false);
  const list = useListState(['search', 'state']);
  const state = list.filters.state === 'active' || list.filters.state === 'inactive' ? list.filters.state : undefined;
  const query = useQuery(tokensQuery({ page: list.page, per_page: list.perPage, search: list.filters.search, state }));
  const columns: Column<Token>[] = [
    { key: 'name', header: t('field.name'), cell: ({ name }) => name },
    {
      key: 'state',
      header: t('field.state'),
      cell: (token) => <StateChip state={isExpired(token) ? 'expired' : token.state} />,
    },
    {
      key: 'scopes',
      header: t('tokens.scopes'),
      cell: ({ scopes }) => (
        <Stack direction="row" spacing={0.5}>
          {scopes.map((scope) => (
            <Chip key={scope} size="small" label={scope} />
          ))}
        </Stack>
      ),
      from: 'sm',
    },
    { key: 'bio', header: t('field.description'), cell: ({ bio }) => bio || '–', from: 'md' },
    { key: 'expires', header: t('tokens.expires'), cell: ({ expired_at }) => <TimeText at={expired_at} /> },
    { key: 'created', header: t('field.created'), cell: ({ created_at }) => <TimeText at={created_at} />, from: 'md' },
  ];
  if (may)
    columns.push({ key: 'actions', header: '', align: 'right', cell: (token) => <TokenActions token={token} /> });
  const create = may && (
    <Button variant="contained" startIcon={<AddIcon />} onClick={() => setCreating(true)}>
      {t('tokens.create')}
    </Button>
  );
  return (
    <Page title={t('nav.tokens')} about={t('tokens.about')} actions={create}>
      <FilterBar list={list}>
        <TextFilter
          label={t('table.search')}
          value={list.filters.search}
          onChange={(value) => list.setFilter('search', value)}
        />
        <ChoiceFilter
          label={t('field.state')}
          value={state}
          onChange={(value) => list.setFilter('state', value)}
          choices={[
            { value: 'active', label: t('state.active') },
            { value: 'inactive', label: t('state.inactive') },
          ]}
        />
      </FilterBar>
      <DataTable
        label={t('nav.tokens')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('tokens.none')} text={t('tokens.noneText')}>
            {create}
          </EmptyState>
        }
      />
      {creating && <NewTokenDialog onClose={() => setCreating(false)} />}
    </Page>
  );
}

function isExpired({ expired_at: at }: Token): boolean {
  return Date.parse(at) < Date.now();
}

function TokenActions({ token: { id, name, state } }: { readonly token: Token }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const path = { params: { path: { id } } };
  const refresh = (): Promise<void> => client.invalidateQueries({ queryKey: tokensKey });
  return (
    <Stack direction="row" spacing={0.5} sx={{ justifyContent: 'flex-end' }}>
      {state === 'active' && (
        <ConfirmButton
          compact
          icon={<BlockIcon fontSize="small" />}
          label={t('tokens.revokeName', { name })}
          confirmation={{
            title: t('tokens.revokeName', { name }),
            reach: t('tokens.revokeReach'),
            action: t('tokens.revoke'),
            done: t('tokens.revoked', { name }),
            run: async () => {
              await dataOf(api.PATCH('/api/v1/personal-access-tokens/{id}', { ...path, body: { state: 'inactive' } }));
              await refresh();
            },
          }}
        />
      )}
      <ConfirmButton
        compact
        label={t('tokens.delete', { name })}
        confirmation={{
          title: t('tokens.delete', { name }),
          reach: t('tokens.revokeReach'),
          action: t('common.delete'),
          done: t('tokens.deleted', { name }),
          run: async () => {
            await dataOf(api.DELETE('/api/v1/personal-access-tokens/{id}', path));
            await refresh();
          },
        }}
      />
    </Stack>
  );
}
