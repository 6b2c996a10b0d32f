import type { ReactNode } from 'react';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';
import { SchedulersTable } from './schedulers-table.tsx';

export function SchedulersPage(): ReactNode {
  const t = useText();
  return (
    <Page title={t('nav.schedulers')} about={t('schedulers.about')}>
      <SchedulersTable />
    </Page>
  );
}
