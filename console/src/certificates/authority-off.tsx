import type { ReactNode } from 'react';
import { CommandBlock } from '../components/command-block.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { useText } from '../i18n/language.tsx';

/** How the manager becomes an authority. */
export function AuthorityOff(): ReactNode {
  const t = useText();
  return (
    <EmptyState title={t('certificates.off')} text={t('certificates.offText')}>
      <CommandBlock label="manager.yaml">{'security:\n  autoIssueCert: true\n  tlsPolicy: prefer'}</CommandBlock>
    </EmptyState>
  );
}
