import type { ReactNode } from 'react';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';
import { SeedPeersTable } from './seed-peers-table.tsx';

export function SeedPeersPage(): ReactNode {
  const t = useText();
  return (
    <Page title={t('nav.seedPeers')} about={t('seedPeers.about')}>
      <SeedPeersTable />
    </Page>
  );
}
