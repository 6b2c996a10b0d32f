/** What a preheat would cost, before it is started. */
import Alert from '@mui/material/Alert';
import type { ReactNode } from 'react';
import { Facts } from '../components/facts.tsx';
import { Section } from '../components/section.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { PreheatEstimate } from './job-queries.ts';

const shownNames = 5;

export function PreheatCost({ estimate }: { readonly estimate: PreheatEstimate }): ReactNode {
  const t = useText();
  const { bytes, number } = useFormats();
  const { too_full: full, unknown_items: unknown } = estimate;
  // Sums of what is known are lower bounds where something is not.
  const atLeast = (sum: number): string => (unknown > 0 ? t('preheat.atLeast', { size: bytes(sum) }) : bytes(sum));
  return (
    <Section title={t('preheat.cost')} about={t('preheat.costAbout')}>
      <Facts
        facts={[
          { name: t('preheat.costNodes'), value: number(estimate.nodes) },
          { name: t('preheat.costItems'), value: number(estimate.items) },
          { name: t('preheat.costContent'), value: atLeast(estimate.content_bytes) },
          { name: t('preheat.costOrigin'), value: atLeast(estimate.origin_bytes) },
          { name: t('preheat.costAll'), value: atLeast(estimate.node_bytes) },
          ...(unknown > 0 ? [{ name: t('preheat.costUnknown'), value: number(unknown) }] : []),
        ]}
      />
      {full.length > 0 && (
        <Alert severity="warning" sx={{ mt: 2 }}>
          {t('preheat.tooFull', { names: full.slice(0, shownNames).join(', '), count: full.length })}
        </Alert>
      )}
    </Section>
  );
}
