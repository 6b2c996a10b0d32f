/** A month on a page that can be printed. */
import Button from '@mui/material/Button';
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import type { Schemas } from '../api/client.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { useFormats } from '../i18n/format.ts';
import { useLanguage, useText } from '../i18n/language.tsx';
import { useDistributionColumns, useHotTaskColumns } from './distribution-columns.tsx';
import { reportQuery, savedShare, type ShareKind, type TrafficShare } from './history-queries.ts';
import { SavedSums } from './saved-sums.tsx';
import { useShareColumns } from './share-columns.tsx';
import { SmallTable } from './small-table.tsx';

type Report = Schemas['TrafficReport'];

export function ReportPage(): ReactNode {
  const t = useText();
  const { locale } = useLanguage();
  const [params] = useSearchParams();
  const now = monthOf(new Date());
  const month = /^\d{4}-(0[1-9]|1[0-2])$/.exec(params.get('month') ?? '')?.[0] ?? now;
  const { data, error, refetch } = useQuery(reportQuery(month));
  const name = new Intl.DateTimeFormat(locale, { year: 'numeric', month: 'long', timeZone: 'UTC' }).format(
    new Date(`${month}-01T00:00:00Z`),
  );
  return (
    <Page
      title={t('history.reportOf', { month: name })}
      crumbs={[{ label: t('nav.history'), to: '/history' }]}
      actions={
        <>
          <LinkButton to={`/report?month=${neighbour(month, -1)}`}>{t('history.previousMonth')}</LinkButton>
          {month !== now && (
            <LinkButton to={`/report?month=${neighbour(month, 1)}`}>{t('history.nextMonth')}</LinkButton>
          )}
          <Button variant="contained" onClick={() => globalThis.print()}>
            {t('history.print')}
          </Button>
        </>
      }
    >
      {data ? (
        <Sections report={data} />
      ) : error ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : (
        <Loading />
      )}
    </Page>
  );
}

function Sections({ report }: { readonly report: Report }): ReactNode {
  const t = useText();
  const { bytes, number, percent } = useFormats();
  const hotTasks = useHotTaskColumns();
  const distributions = useDistributionColumns();
  const { total } = report;
  const share = savedShare(total);
  return (
    <>
      <Section title={t('history.inShort')}>
        <Typography sx={{ mb: 2, fontSize: '1.1rem', maxWidth: 720 }}>
          {share === undefined
            ? t('history.nothing')
            : t('history.sentence', {
                downloads: total.downloads,
                total: bytes(total.origin_bytes + total.peer_bytes),
                saved: bytes(total.peer_bytes),
                share: percent(share),
                times: number(
                  Math.round((10 * (total.origin_bytes + total.peer_bytes)) / Math.max(1, total.origin_bytes)) / 10,
                ),
              })}
        </Typography>
        <SavedSums total={total} before={report.before} />
      </Section>
      <ShareSection title={t('history.by.application')} kind="application" rows={report.applications} />
      <ShareSection title={t('history.by.zone')} kind="zone" rows={report.zones} />
      <Section title={t('history.hot')}>
        <SmallTable
          label={t('history.hot')}
          columns={hotTasks}
          rows={report.tasks}
          rowKey={({ task_id: id }) => id}
          none={t('history.nothing')}
        />
      </Section>
      <Section title={t('history.slowestTitle')}>
        <SmallTable
          label={t('history.slowestTitle')}
          columns={distributions}
          rows={report.slowest}
          rowKey={({ id }) => id}
          none={t('history.nothing')}
        />
      </Section>
      <ShareSection title={t('history.givers')} kind="node" rows={report.nodes} />
      <ShareSection title={t('history.dragging')} kind="node" rows={report.dragging} none={t('history.noFailures')} />
      <ShareSection title={t('history.by.origin')} kind="origin" rows={report.origins} />
      <ShareSection
        title={t('history.failingOrigins')}
        kind="origin"
        rows={report.failing_origins}
        none={t('history.noFailures')}
      />
    </>
  );
}

interface ShareSectionProps {
  readonly title: string;
  readonly kind: ShareKind;
  readonly rows: readonly TrafficShare[];
  readonly none?: string;
}

function ShareSection({ title, kind, rows, none }: ShareSectionProps): ReactNode {
  const t = useText();
  const columns = useShareColumns(kind);
  return (
    <Section title={title}>
      <SmallTable
        label={title}
        columns={columns}
        rows={rows}
        rowKey={({ name }) => name}
        none={none ?? t('history.nothing')}
      />
    </Section>
  );
}

function monthOf(date: Date): string {
  return date.toISOString().slice(0, 7);
}

function neighbour(month: string, distance: number): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return monthOf(new Date(Date.UTC(year, number - 1 + distance, 1)));
}
