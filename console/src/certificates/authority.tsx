import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { CommandBlock } from '../components/command-block.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { Section } from '../components/section.tsx';
import { useText } from '../i18n/language.tsx';
import { AuthorityOff } from './authority-off.tsx';
import { authorityQuery } from './certificate-queries.ts';

export function Authority(): ReactNode {
  const t = useText();
  const { data, error, refetch } = useQuery(authorityQuery);
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.certificate === '') return <AuthorityOff />;
  return (
    <Section title={t('certificates.tab.authority')} about={t('certificates.authorityAbout')}>
      <CommandBlock label={t('certificates.tab.authority')}>{data.certificate.trim()}</CommandBlock>
    </Section>
  );
}
