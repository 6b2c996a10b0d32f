import type { ReactNode } from 'react';
import { LinkButton } from '../components/link-button.tsx';
import { Page } from '../components/page.tsx';
import { useText } from '../i18n/language.tsx';

export function NotFoundPage(): ReactNode {
  const t = useText();
  return (
    <Page title={t('notFound.title')} about={t('notFound.text')}>
      <div>
        <LinkButton to="/" variant="contained">
          {t('notFound.back')}
        </LinkButton>
      </div>
    </Page>
  );
}
