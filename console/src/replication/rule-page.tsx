/** One rule: how far each cluster is, and each tag with what has been proven of it. */
import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import Typography from '@mui/material/Typography';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useNavigate, useParams } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { monospace } from '../app/theme.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Facts } from '../components/facts.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { SecretDialog } from '../components/secret-dialog.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { ClusterLink } from '../members/cluster-link.tsx';
import { useMay } from '../session/use-session.ts';
import { RuleDialog } from './rule-dialog.tsx';
import {
  copiesOf,
  ruleQuery,
  rulesKey,
  tagsQuery,
  totalsOf,
  type CopyCounts,
  type ReplicatedTag,
  type Rule,
} from './rule-queries.ts';
import { stateOf } from './rules-page.tsx';
import { useTriggerText } from './use-trigger-text.ts';

export function RulePage(): ReactNode {
  const id = Number(useParams()['id']);
  const { data, error, refetch } = useQuery(ruleQuery(id));
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  return data ? <ShownRule rule={data} /> : <Loading />;
}

function ShownRule({ rule }: { readonly rule: Rule }): ReactNode {
  const t = useText();
  const { rate } = useFormats();
  const triggerText = useTriggerText();
  const may = useMay('replication-rules');
  return (
    <Page
      title={rule.name}
      about={rule.bio}
      crumbs={[{ label: t('nav.replication'), to: '/replication' }]}
      actions={may && <Actions rule={rule} />}
    >
      {rule.error !== '' && <Alert severity="warning">{t('replication.notListed', { error: rule.error })}</Alert>}
      <Section title={t('replication.rule')}>
        <Facts
          facts={[
            { name: t('field.state'), value: <StateChip state={stateOf(rule)} /> },
            { name: t('replication.source'), value: rule.source, wide: true },
            ...(rule.target === '' ? [] : [{ name: t('replication.target'), value: rule.target, wide: true }]),
            { name: t('replication.tags'), value: rule.tags.join(', ') },
            { name: t('replication.when'), value: triggerText(rule) },
            {
              name: t('replication.pace'),
              value: rule.rate_bytes_per_sec === 0 ? t('replication.unbounded') : rate(rule.rate_bytes_per_sec),
            },
            { name: t('replication.listed'), value: <TimeText at={rule.listed_at ?? undefined} /> },
          ]}
        />
      </Section>
      {copiesOf(rule).length > 0 && <Places rule={rule} />}
      <Tags rule={rule} />
    </Page>
  );
}

function Places({ rule }: { readonly rule: Rule }): ReactNode {
  const t = useText();
  const { target_copies: target, clusters } = rule;
  return (
    <Section title={t('replication.places')} about={t('replication.clustersAbout')}>
      <Facts
        facts={[
          ...(target ? [{ name: t('replication.target'), value: <Counts copies={target} /> }] : []),
          ...clusters.map((cluster) => ({
            name: `#${cluster.scheduler_cluster_id}`,
            value: (
              <>
                <ClusterLink id={cluster.scheduler_cluster_id} />
                <Counts copies={cluster} />
              </>
            ),
          })),
        ]}
      />
    </Section>
  );
}

function Counts({ copies }: { readonly copies: CopyCounts }): ReactNode {
  const t = useText();
  const { bytes } = useFormats();
  const { proven, failed } = copies;
  return (
    <>
      <Typography variant="body2">
        {t('replication.clusterProven', { proven, all: totalsOf([copies]).all, bytes: bytes(copies.bytes) })}
      </Typography>
      {failed > 0 && (
        <Typography variant="body2" color="error">
          {t('replication.clusterFailed', { failed })}
        </Typography>
      )}
    </>
  );
}

function Tags({ rule: { id } }: { readonly rule: Rule }): ReactNode {
  const t = useText();
  const list = useListState([]);
  const query = useQuery(tagsQuery(id, { page: list.page, per_page: list.perPage }));
  const columns: Column<ReplicatedTag>[] = [
    {
      key: 'tag',
      header: t('replication.tag'),
      cell: ({ repository, tag }) => <span style={{ overflowWrap: 'anywhere' }}>{`${repository}:${tag}`}</span>,
    },
    {
      key: 'digest',
      header: t('replication.digest'),
      cell: ({ digest }) => (
        <span title={digest} style={{ fontFamily: monospace }}>
          {digest.slice(0, 19) || '–'}
        </span>
      ),
      from: 'sm',
    },
    { key: 'clusters', header: t('replication.proven'), cell: (tag) => <TagClusters tag={tag} /> },
  ];
  return (
    <DataTable
      label={t('replication.tags')}
      columns={columns}
      rowKey={({ repository, tag }) => `${repository}:${tag}`}
      query={query}
      list={list}
      empty={<EmptyState title={t('replication.noTags')} text={t('replication.noTagsText')} />}
    />
  );
}

const chipOf = {
  waiting: 'PENDING',
  running: 'RUNNING',
  proven: 'SUCCESS',
  copied: 'SUCCESS',
  failed: 'RETRY',
} as const;

function TagClusters({ tag: { clusters, target, error } }: { readonly tag: ReplicatedTag }): ReactNode {
  const t = useText();
  return (
    <>
      {error !== '' && (
        <Typography variant="caption" component="div" color="error">
          {error}
        </Typography>
      )}
      {target && <Copy copy={target} place={<span>{t('replication.target')}</span>} />}
      {clusters.map((cluster) => (
        <Copy
          key={cluster.scheduler_cluster_id}
          copy={cluster}
          place={<ClusterLink id={cluster.scheduler_cluster_id} />}
          job={cluster.job_id}
        />
      ))}
    </>
  );
}

interface CopyProps {
  readonly copy: NonNullable<ReplicatedTag['target']>;
  readonly place: ReactNode;
  /** That brought it; 0 for none. */
  readonly job?: number;
}

function Copy({ copy: { state, proven_at: provenAt, error }, place, job = 0 }: CopyProps): ReactNode {
  return (
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center' }}>
      {place}
      <StateChip state={chipOf[state]} />
      {provenAt !== null && <TimeText at={provenAt} />}
      {job > 0 && <TextLink to={`/jobs/${job}`}>{`#${job}`}</TextLink>}
      {error !== '' && (
        <Typography variant="caption" color="error" sx={{ overflowWrap: 'anywhere' }}>
          {error}
        </Typography>
      )}
    </div>
  );
}

function Actions({ rule }: { readonly rule: Rule }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const [secret, setSecret] = useState<string>();
  const params = { path: { id: rule.id } };
  const refresh = (): Promise<void> => client.invalidateQueries({ queryKey: rulesKey });
  const run = useMutation({
    mutationFn: () => dataOf(api.POST('/api/v1/replication-rules/{id}/run', { params, body: { prove_again: false } })),
    onSuccess: refresh,
  });
  return (
    <>
      <Button variant="contained" loading={run.isPending} disabled={!rule.enabled} onClick={() => run.mutate()}>
        {t('replication.run')}
      </Button>
      <Button variant="outlined" onClick={() => setEditing(true)}>
        {t('common.edit')}
      </Button>
      <ConfirmButton
        label={t('replication.secret')}
        confirmation={{
          title: t('replication.secret'),
          reach: t('replication.secretReach'),
          action: t('replication.secret'),
          done: t('replication.secretMade'),
          run: async () => {
            const made = await dataOf(api.POST('/api/v1/replication-rules/{id}/secret', { params }));
            const url = new URL(`api/v1/replication-rules/${rule.id}/notifications`, document.baseURI).href;
            setSecret(`POST ${url}\nAuthorization: Bearer ${made.secret}`);
            await refresh();
          },
        }}
      />
      <ConfirmButton
        label={t('common.delete')}
        confirmation={{
          title: t('kept.delete', { name: rule.name }),
          reach: t('replication.deleteReach'),
          action: t('common.delete'),
          done: t('kept.deleted', { name: rule.name }),
          run: async () => {
            await dataOf(api.DELETE('/api/v1/replication-rules/{id}', { params }));
            await navigate('/replication');
            client.removeQueries({ queryKey: [...rulesKey, 'one', rule.id] });
            await refresh();
          },
        }}
      />
      {editing && <RuleDialog rule={rule} onClose={() => setEditing(false)} />}
      {secret !== undefined && <SecretDialog secret={secret} onClose={() => setSecret(undefined)} />}
    </>
  );
}
