/** How long the trail and the jobs are kept, and clearing out by hand. */
import Stack from '@mui/material/Stack';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { configsQuery } from '../configuration/config-queries.ts';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';
import { GcHistory } from './gc-history.tsx';
import { GcKind } from './gc-kind.tsx';
import { gcConfigName, gcKinds, ttlsOf } from './gc-config.ts';

export function GcPage(): ReactNode {
  const t = useText();
  const { data, error, refetch } = useQuery(configsQuery({ name: gcConfigName, per_page: 1 }));
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const [config] = data.rows;
  return (
    <Page title={t('nav.gc')} about={t('gc.about')}>
      <Stack direction={{ xs: 'column', md: 'row' }} spacing={2.5} sx={{ '& > *': { flex: 1 } }}>
        {gcKinds.map((kind) => (
          <GcKind key={`${kind} ${config?.value ?? ''}`} kind={kind} config={config} ttls={ttlsOf(config)} />
        ))}
      </Stack>
      <GcHistory />
    </Page>
  );
}
