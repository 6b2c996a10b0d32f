/** Names under which directories are published: the newest version of each, and how many of its followers run it. */
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { CommandBlock } from '../components/command-block.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { Page } from '../components/page.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { BytesText, NewText } from './bytes-text.tsx';
import { ReleaseState } from './release-state.tsx';
import { releasesQuery, type Release } from './release-queries.ts';

export function ReleasesPage(): ReactNode {
  const t = useText();
  const list = useListState([]);
  const query = useQuery(releasesQuery({ page: list.page, per_page: list.perPage, newest: 'true' }));
  const columns: Column<Release>[] = [
    {
      key: 'name',
      header: t('field.name'),
      cell: ({ name }) => <TextLink to={`/releases/${encodeURIComponent(name)}`}>{name}</TextLink>,
    },
    { key: 'version', header: t('releases.newest'), cell: ({ version }) => version },
    { key: 'state', header: t('field.state'), cell: (release) => <ReleaseState release={release} />, from: 'sm' },
    {
      key: 'runBy',
      header: t('releases.runBy'),
      cell: ({ running_count: has, subscriber_count: all }) => t('releases.runByOf', { has, all }),
      align: 'right',
    },
    {
      key: 'size',
      header: t('tasks.size'),
      cell: ({ content_length: length }) => <BytesText bytes={length} />,
      align: 'right',
      from: 'sm',
    },
    {
      key: 'new',
      header: t('releases.new'),
      cell: (release) => <NewText release={release} />,
      align: 'right',
      from: 'md',
    },
    { key: 'replicas', header: t('kept.replicas'), cell: ({ replicas }) => replicas, align: 'right', from: 'md' },
    {
      key: 'versions',
      header: t('releases.versions'),
      cell: ({ version_count: count }) => count,
      align: 'right',
      from: 'lg',
    },
    { key: 'created', header: t('releases.published'), cell: ({ created_at: at }) => <TimeText at={at} />, from: 'sm' },
  ];
  return (
    <Page title={t('nav.releases')} about={t('releases.about')}>
      <DataTable
        label={t('nav.releases')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('releases.none')} text={t('releases.noneText')}>
            <CommandBlock label={t('kept.command')}>dragonfly publish DIRECTORY NAME@v1</CommandBlock>
          </EmptyState>
        }
      />
    </Page>
  );
}
