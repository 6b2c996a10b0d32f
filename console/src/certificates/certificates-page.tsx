import Tab from '@mui/material/Tab';
import Tabs from '@mui/material/Tabs';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { Authority } from './authority.tsx';
import { IssuedTable } from './issued-table.tsx';
import { JoinTokens } from './join-tokens.tsx';

const tabs = ['issued', 'join-tokens', 'authority'] as const;
type TabName = (typeof tabs)[number];

export function CertificatesPage(): ReactNode {
  const t = useText();
  const seesTokens = useMay('join-tokens', 'read');
  const [params, setParams] = useSearchParams();
  const shown = tabs.filter((name) => name !== 'join-tokens' || seesTokens);
  const tab = shown.find((name) => name === params.get('tab')) ?? 'issued';
  return (
    <Page title={t('nav.certificates')} about={t('certificates.about')}>
      <Tabs
        value={tab}
        onChange={(_event, next: TabName) => setParams(next === 'issued' ? {} : { tab: next })}
        variant="scrollable"
        aria-label={t('nav.certificates')}
      >
        {shown.map((name) => (
          <Tab
            key={name}
            value={name}
            label={t(`certificates.tab.${name}`)}
            id={`tab-${name}`}
            aria-controls={`panel-${name}`}
          />
        ))}
      </Tabs>
      <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`}>
        <Panel tab={tab} />
      </div>
    </Page>
  );
}

function Panel({ tab }: { readonly tab: TabName }): ReactNode {
  switch (tab) {
    case 'issued':
      return <IssuedTable />;
    case 'join-tokens':
      return <JoinTokens />;
    case 'authority':
      return <Authority />;
  }
}
