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
import { FilterBar } from '../components/filter-bar.tsx';
import { TextFilter } from '../components/filter-fields.tsx';
import { Page } from '../components/page.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { ApplicationDialog } from './application-dialog.tsx';
import { applicationsQuery, type Application, type Priority } from './application-queries.ts';

export function ApplicationsPage(): ReactNode {
  const t = useText();
  const may = useMay('applications');
  const [edited, setEdited] = useState<Application | 'new'>();
  const list = useListState(['search']);
  const query = useQuery(applicationsQuery({ page: list.page, per_page: list.perPage, ...list.filters }));
  const columns: Column<Application>[] = [
    { key: 'name', header: t('field.name'), cell: ({ name }) => name },
    { key: 'url', header: 'URL', cell: ({ url }) => url, from: 'sm' },
    {
      key: 'priority',
      header: t('applications.priority'),
      cell: ({ priority }) => {
        const { value, urls = [] } = priority as unknown as Priority;
        return `${value}${urls.length > 0 ? ` · ${t('applications.urlRules', { count: urls.length })}` : ''}`;
      },
    },
    { key: 'bio', header: t('field.description'), cell: ({ bio }) => bio || '–', from: 'md' },
    { key: 'updated', header: t('field.updated'), cell: ({ updated_at }) => <TimeText at={updated_at} />, from: 'md' },
  ];
  if (may) {
    columns.push({
      key: 'actions',
      header: '',
      align: 'right',
      cell: (application) => <Actions application={application} onEdit={() => setEdited(application)} />,
    });
  }
  const create = may && (
    <Button variant="contained" startIcon={<AddIcon />} onClick={() => setEdited('new')}>
      {t('applications.create')}
    </Button>
  );
  return (
    <Page title={t('nav.applications')} about={t('applications.about')} actions={create}>
      <FilterBar list={list}>
        <TextFilter
          label={t('table.search')}
          value={list.filters.search}
          onChange={(value) => list.setFilter('search', value)}
        />
      </FilterBar>
      <DataTable
        label={t('nav.applications')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('applications.none')} text={t('applications.noneText')}>
            {create}
          </EmptyState>
        }
      />
      {edited !== undefined && (
        <ApplicationDialog application={edited === 'new' ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </Page>
  );
}

interface ActionsProps {
  readonly application: Application;
  readonly onEdit: () => void;
}

function Actions({ application: { id, name }, onEdit }: ActionsProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const edit = t('applications.edit', { name });
  return (
    <Stack direction="row" sx={{ justifyContent: 'flex-end' }}>
      <Tooltip title={edit}>
        <IconButton size="small" aria-label={edit} onClick={onEdit}>
          <EditIcon fontSize="small" />
        </IconButton>
      </Tooltip>
      <ConfirmButton
        compact
        label={t('applications.delete', { name })}
        confirmation={{
          title: t('applications.delete', { name }),
          reach: t('applications.deleteReach'),
          action: t('common.delete'),
          done: t('applications.deleted', { name }),
          run: async () => {
            await dataOf(api.DELETE('/api/v1/applications/{id}', { params: { path: { id } } }));
            await client.invalidateQueries({ queryKey: ['applications'] });
          },
        }}
      />
    </Stack>
  );
}
