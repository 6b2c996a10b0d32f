/** One name: its versions, who follows it, and which version each of them runs. */
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useParams } from 'react-router';
import { CommandBlock } from '../components/command-block.tsx';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { BytesText, NewText } from './bytes-text.tsx';
import { ReleaseState } from './release-state.tsx';
import { deleteRelease, releasesQuery, subscribersQuery, type Release, type Subscriber } from './release-queries.ts';

export function ReleasePage(): ReactNode {
  const t = useText();
  const { name = '' } = useParams();
  return (
    <Page title={name} crumbs={[{ label: t('nav.releases'), to: '/releases' }]}>
      <Versions name={name} />
      <Typography variant="h2">{t('releases.subscribers')}</Typography>
      <Subscribers name={name} />
      <Section title={t('releases.back')} about={t('releases.backAbout')}>
        <Stack spacing={2}>
          <CommandBlock
            label={t('releases.backAll')}
          >{`dragonfly publish OLD_DIRECTORY ${name}@NEW_VERSION`}</CommandBlock>
          <CommandBlock label={t('releases.backOne')}>
            {`dragonfly subscribe ${name} --to PATH --version OLD_VERSION`}
          </CommandBlock>
        </Stack>
      </Section>
    </Page>
  );
}

function Versions({ name }: { readonly name: string }): ReactNode {
  const t = useText();
  const may = useMay('releases');
  const list = useListState([]);
  const query = useQuery(releasesQuery({ name, page: list.page, per_page: list.perPage }));
  const columns: Column<Release>[] = [
    { key: 'version', header: t('releases.version'), cell: ({ version }) => version },
    { key: 'state', header: t('field.state'), cell: (release) => <ReleaseState release={release} /> },
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
      from: 'sm',
    },
    { key: 'files', header: t('releases.files'), cell: ({ file_count: count }) => count, align: 'right', from: 'lg' },
    { key: 'replicas', header: t('kept.replicas'), cell: ({ replicas }) => replicas, align: 'right', from: 'md' },
    {
      key: 'publisher',
      header: t('releases.publisher'),
      cell: ({ publisher, public_key: key }) => (key === '' ? publisher : t('releases.signedBy', { publisher })),
      from: 'lg',
    },
    { key: 'created', header: t('releases.published'), cell: ({ created_at: at }) => <TimeText at={at} />, from: 'sm' },
    { key: 'expires', header: t('kept.expires'), cell: ({ expires_at: at }) => <TimeText at={at} />, from: 'lg' },
  ];
  if (may)
    columns.push({ key: 'actions', header: '', align: 'right', cell: (release) => <DeleteButton release={release} /> });
  return (
    <DataTable
      label={t('releases.versions')}
      columns={columns}
      rowKey={({ id }) => id}
      query={query}
      list={list}
      empty={<EmptyState title={t('releases.gone')} text={t('releases.goneText')} />}
    />
  );
}

const subscribersShown = 100;

function Subscribers({ name }: { readonly name: string }): ReactNode {
  const t = useText();
  const query = useQuery(subscribersQuery(name, { per_page: subscribersShown }));
  const columns: Column<Subscriber>[] = [
    { key: 'host', header: t('releases.node'), cell: ({ host_id: id }) => <Wrapped text={id} /> },
    { key: 'version', header: t('releases.version'), cell: ({ version }) => version },
    { key: 'state', header: t('field.state'), cell: (subscriber) => <SubscriberState subscriber={subscriber} /> },
    { key: 'path', header: t('releases.path'), cell: ({ path }) => <Wrapped text={path} />, from: 'md' },
    { key: 'since', header: t('releases.since'), cell: ({ updated_at: at }) => <TimeText at={at} />, from: 'sm' },
  ];
  return (
    <DataTable
      label={t('releases.subscribers')}
      columns={columns}
      rowKey={({ host_id: id, path }) => `${id} ${path}`}
      query={query}
      list={{
        page: 1,
        perPage: subscribersShown,
        filtered: false,
        setPage: () => undefined,
        setPerPage: () => undefined,
      }}
      empty={
        <EmptyState title={t('releases.nobody')} text={t('releases.nobodyText')}>
          <CommandBlock label={t('kept.command')}>{`dragonfly subscribe ${name} --to PATH`}</CommandBlock>
        </EmptyState>
      }
    />
  );
}

function SubscriberState({ subscriber: { state, error } }: { readonly subscriber: Subscriber }): ReactNode {
  const shown = { switched: 'Succeeded', fetching: 'Running', failed: 'Failed' }[state] ?? state;
  return (
    <>
      <StateChip state={shown} />
      {error !== '' && (
        <Typography variant="caption" component="div" color="error">
          {error}
        </Typography>
      )}
    </>
  );
}

function Wrapped({ text }: { readonly text: string }): ReactNode {
  return <span style={{ overflowWrap: 'anywhere' }}>{text}</span>;
}

function DeleteButton({ release }: { readonly release: Release }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const name = `${release.name}@${release.version}`;
  return (
    <ConfirmButton
      compact
      label={t('kept.delete', { name })}
      confirmation={{
        title: t('kept.delete', { name }),
        reach: t('releases.deleteReach'),
        action: t('common.delete'),
        done: t('kept.deleted', { name }),
        run: async () => {
          await deleteRelease(release);
          await client.invalidateQueries({ queryKey: ['releases'] });
        },
      }}
    />
  );
}
