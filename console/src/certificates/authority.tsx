import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { CommandBlock } from '../components/command-block.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Section } from '../components/section.tsx';
import { useText } from '../i18n/language.tsx';
import { authorityQuery } from './certificate-queries.ts';

export function Authority(): ReactNode {
  const t = useText();
  const { data, error, refetch } = useQuery(authorityQuery);
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.certificate === '') {
    return (
      <EmptyState title={t('certificates.off')} text={t('certificates.offText')}>
        <CommandBlock label="manager.yaml">{'security:\n  autoIssueCert: true\n  tlsPolicy: prefer'}</CommandBlock>
      </EmptyState>
    );
  }
  return (
    <Section title={t('certificates.tab.authority')} about={t('certificates.authorityAbout')}>
      <CommandBlock label={t('certificates.tab.authority')}>{data.certificate.trim()}</CommandBlock>
    </Section>
  );
}
