import type { ReactNode } from 'react';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';
import { PeersTable } from './peers-table.tsx';
import { SyncPeersButton } from './sync-peers-button.tsx';

export function PeersPage(): ReactNode {
  const t = useText();
  return (
    <Page title={t('nav.peers')} about={t('peers.about')} actions={<SyncPeersButton />}>
      <PeersTable />
    </Page>
  );
}
