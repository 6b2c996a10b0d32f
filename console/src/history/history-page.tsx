/** Who got how much in the past, beside the time before, and how distributions went. */
import Link from '@mui/material/Link';
import MenuItem from '@mui/material/MenuItem';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { DataTable } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { useListState, type ListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { HistoryChart } from '../overview/history-chart.tsx';
import { useDistributionColumns } from './distribution-columns.tsx';
import {
  distributionSorts,
  distributionsQuery,
  rangeNames,
  ranges,
  shareKinds,
  sharesQuery,
  shareStepsQuery,
  type Range,
  type ShareKind,
} from './history-queries.ts';
import { SavedSums } from './saved-sums.tsx';
import { useShareColumns } from './share-columns.tsx';
import { SmallTable } from './small-table.tsx';

type Filter = 'range' | 'by' | 'name' | 'sort' | 'url';

export function HistoryPage(): ReactNode {
  const t = useText();
  const list = useListState<Filter>(['range', 'by', 'name', 'sort', 'url']);
  const range = rangeNames.find((one) => one === list.filters.range) ?? 'week';
  const by = shareKinds.find((one) => one === list.filters.by) ?? 'application';
  return (
    <Page
      title={t('nav.history')}
      about={t('history.pageAbout')}
      actions={<LinkButton to="/report">{t('history.report')}</LinkButton>}
    >
      <FilterBar list={list}>
        <Choice
          label={t('history.range')}
          value={range}
          choices={rangeNames.map((value) => ({ value, label: t(`history.${value}`) }))}
          onChange={(value) => list.setFilter('range', value)}
        />
        <Choice
          label={t('history.by')}
          value={by}
          choices={shareKinds.map((value) => ({ value, label: t(`history.by.${value}`) }))}
          onChange={(value) => list.setFilter('by', value)}
        />
      </FilterBar>
      <Shares range={range} by={by} list={list} />
      {list.filters.name !== undefined && <OneShare range={range} by={by} name={list.filters.name} />}
      <Distributions range={range} list={list} />
    </Page>
  );
}

interface PartProps {
  readonly range: Range;
  readonly list: ListState<Filter>;
}

function Shares({ range, by, list }: PartProps & { readonly by: ShareKind }): ReactNode {
  const t = useText();
  const { data, error, refetch } = useQuery(sharesQuery(by, range));
  const linkTo = (name: string): string => `/history?${new URLSearchParams({ ...list.filters, by, name }).toString()}`;
  const columns = useShareColumns(by, { linkTo });
  if (!data) return error ? <ErrorNotice error={error} retry={() => void refetch()} /> : <Loading />;
  const csv = new URL(`api/v1/traffic/shares/csv?by=${by}&from_ms=${data.from_ms}&limit=1000`, document.baseURI);
  return (
    <Section title={t(`history.by.${by}`)} about={t('history.compared')}>
      <SavedSums total={data.total} before={data.before} />
      <SmallTable
        label={t(`history.by.${by}`)}
        columns={columns}
        rows={data.shares}
        rowKey={({ name }) => name}
        none={t('history.nothing')}
      />
      <Typography variant="body2" sx={{ mt: 1 }}>
        <Link href={csv.href} download>
          {t('history.csv')}
        </Link>
      </Typography>
    </Section>
  );
}

function OneShare({ range, by, name }: { range: Range; by: ShareKind; name: string }): ReactNode {
  const t = useText();
  const { data } = useQuery(shareStepsQuery(by, name, range));
  return (
    <Section title={name === '*' ? t('history.others') : name}>
      <HistoryChart steps={data?.steps ?? []} toMs={data?.toMs ?? 0} {...ranges[range]} />
    </Section>
  );
}

function Distributions({ range, list }: PartProps): ReactNode {
  const t = useText();
  const columns = useDistributionColumns();
  const sort = distributionSorts.find((one) => one === list.filters.sort) ?? 'ended';
  const query = useQuery(distributionsQuery(range, { page: list.page, per_page: list.perPage, sort }));
  return (
    <Stack spacing={1.5}>
      <Stack direction="row" useFlexGap spacing={2} sx={{ alignItems: 'center', flexWrap: 'wrap' }}>
        <Typography variant="h2" sx={{ flex: '1 1 auto' }}>
          {t('history.distributions')}
        </Typography>
        <Choice
          label={t('history.sort')}
          value={sort}
          choices={distributionSorts.map((value) => ({ value, label: t(`history.sort.${value}`) }))}
          onChange={(value) => list.setFilter('sort', value)}
        />
      </Stack>
      <DataTable
        label={t('history.distributions')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={{ ...list, filtered: false }}
        empty={<EmptyState title={t('history.none')} text={t('history.noneText')} />}
      />
    </Stack>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
  readonly onChange: (value: string) => void;
}

function Choice({ label, value, choices, onChange }: ChoiceProps): ReactNode {
  return (
    <TextField
      select
      label={label}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      sx={{ width: 190 }}
    >
      {choices.map((choice) => (
        <MenuItem key={choice.value} value={choice.value}>
          {choice.label}
        </MenuItem>
      ))}
    </TextField>
  );
}
