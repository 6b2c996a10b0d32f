/** Rules by which clusters have tags of registries. */
import AddIcon from '@mui/icons-material/Add';
import Button from '@mui/material/Button';
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { Page } from '../components/page.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { RuleDialog } from './rule-dialog.tsx';
import { copiesOf, rulesQuery, totalsOf, type Rule } from './rule-queries.ts';
import { useTriggerText } from './use-trigger-text.ts';

export function RulesPage(): ReactNode {
  const t = useText();
  const triggerText = useTriggerText();
  const may = useMay('replication-rules');
  const [creating, setCreating] = useState(false);
  const list = useListState([]);
  const query = useQuery(rulesQuery({ page: list.page, per_page: list.perPage }));
  const columns: Column<Rule>[] = [
    {
      key: 'name',
      header: t('field.name'),
      cell: ({ id, name }) => <TextLink to={`/replication/${id}`}>{name}</TextLink>,
    },
    { key: 'state', header: t('field.state'), cell: (rule) => <StateChip state={stateOf(rule)} /> },
    { key: 'source', header: t('replication.source'), cell: (rule) => <Source rule={rule} />, from: 'sm' },
    { key: 'when', header: t('replication.when'), cell: triggerText, from: 'md' },
    { key: 'tags', header: t('replication.tags'), cell: ({ tag_count: count }) => count, align: 'right', from: 'md' },
    {
      key: 'proven',
      header: t('replication.proven'),
      cell: (rule) => t('kept.replicasOf', provenOf(rule)),
      align: 'right',
    },
    {
      key: 'listed',
      header: t('replication.listed'),
      cell: ({ listed_at: at }) => <TimeText at={at ?? undefined} />,
      from: 'lg',
    },
  ];
  const create = may && (
    <Button variant="contained" startIcon={<AddIcon />} onClick={() => setCreating(true)}>
      {t('replication.create')}
    </Button>
  );
  return (
    <Page title={t('nav.replication')} about={t('replication.about')} actions={create}>
      <DataTable
        label={t('nav.replication')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={
          <EmptyState title={t('replication.none')} text={t('replication.noneText')}>
            {create}
          </EmptyState>
        }
      />
      {creating && <RuleDialog rule={undefined} onClose={() => setCreating(false)} />}
    </Page>
  );
}

function provenOf(rule: Rule): { now: number; wanted: number } {
  const { proven, all } = totalsOf(copiesOf(rule));
  return { now: proven, wanted: all };
}

export function stateOf(rule: Rule): string {
  const { enabled, error, listed_at: listedAt } = rule;
  const { proven, failed, all } = totalsOf(copiesOf(rule));
  if (!enabled) return 'disable';
  if (error !== '' || failed > 0) return 'RETRY';
  return listedAt !== null && proven === all ? 'SUCCESS' : 'RUNNING';
}

function Source({ rule: { source, target, tags } }: { readonly rule: Rule }): ReactNode {
  return (
    <>
      <span style={{ overflowWrap: 'anywhere' }}>{target === '' ? source : `${source} → ${target}`}</span>
      <Typography variant="caption" component="div" color="textSecondary">
        {tags.join(', ')}
      </Typography>
    </>
  );
}
