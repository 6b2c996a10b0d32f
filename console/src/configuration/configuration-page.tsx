import AddIcon from '@mui/icons-material/Add';
import EditIcon from '@mui/icons-material/EditOutlined';
import Button from '@mui/material/Button';
import IconButton from '@mui/material/IconButton';
import Stack from '@mui/material/Stack';
import Tooltip from '@mui/material/Tooltip';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { monospace } from '../app/theme.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { TextFilter } from '../components/filter-fields.tsx';
import { Page } from '../components/page.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { ConfigDialog } from './config-dialog.tsx';
import { configsQuery, type Config } from './config-queries.ts';

export function ConfigurationPage(): ReactNode {
  const t = useText();
  const may = useMay('configs');
  const [edited, setEdited] = useState<Config | 'new'>();
  const list = useListState(['search']);
  const query = useQuery(configsQuery({ page: list.page, per_page: list.perPage, ...list.filters }));
  const columns: Column<Config>[] = [
    { key: 'name', header: t('field.name'), cell: ({ name }) => name },
    {
      key: 'value',
      header: t('configuration.value'),
      cell: ({ value }) => (
        <span style={{ fontFamily: monospace, fontSize: '0.82rem', overflowWrap: 'anywhere' }}>{value}</span>
      ),
    },
    { key: 'bio', header: t('field.description'), cell: ({ bio }) => bio || '–', from: 'md' },
    { key: 'updated', header: t('field.updated'), cell: ({ updated_at }) => <TimeText at={updated_at} />, from: 'sm' },
  ];
  if (may)
    columns.push({
      key: 'actions',
      header: '',
      align: 'right',
      cell: (config) => <Actions config={config} onEdit={() => setEdited(config)} />,
    });
  const create = may && (
    <Button variant="contained" startIcon={<AddIcon />} onClick={() => setEdited('new')}>
      {t('configuration.create')}
    </Button>
  );
  return (
    <Page title={t('nav.configuration')} about={t('configuration.about')} actions={create}>
      <FilterBar list={list}>
        <TextFilter
          label={t('table.search')}
          value={list.filters.search}
          onChange={(value) => list.setFilter('search', value)}
        />
      </FilterBar>
      <DataTable
        label={t('nav.configuration')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('configuration.none')} text={t('configuration.noneText')}>
            {create}
          </EmptyState>
        }
      />
      {edited !== undefined && (
        <ConfigDialog config={edited === 'new' ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </Page>
  );
}

function Actions({
  config: { id, name },
  onEdit,
}: {
  readonly config: Config;
  readonly onEdit: () => void;
}): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const edit = t('configuration.edit', { name });
  return (
    <Stack direction="row" sx={{ justifyContent: 'flex-end' }}>
      <Tooltip title={edit}>
        <IconButton size="small" aria-label={edit} onClick={onEdit}>
          <EditIcon fontSize="small" />
        </IconButton>
      </Tooltip>
      <ConfirmButton
        compact
        label={t('configuration.delete', { name })}
        confirmation={{
          title: t('configuration.delete', { name }),
          reach: t('configuration.deleteReach'),
          action: t('common.delete'),
          done: t('configuration.deleted', { name }),
          run: async () => {
            await dataOf(api.DELETE('/api/v1/configs/{id}', { params: { path: { id } } }));
            await client.invalidateQueries({ queryKey: ['configs'] });
          },
        }}
      />
    </Stack>
  );
}
