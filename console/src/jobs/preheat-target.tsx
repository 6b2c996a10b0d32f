/** Where a preheat goes: which clusters, and how many of their nodes. */
import Autocomplete from '@mui/material/Autocomplete';
import Box from '@mui/material/Box';
import TextField from '@mui/material/TextField';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { allClustersQuery } from '../clusters/cluster-queries.ts';
import { ChoiceInput, ListInput, NumberInput } from '../components/fields.tsx';
import { Section } from '../components/section.tsx';
import type { FieldProps, Form } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { amountLimits, type PreheatValues } from './preheat-form.ts';

const scopes = ['single_seed_peer', 'all_seed_peers', 'all_peers'] as const;
const targets = ['all', 'ips', 'count', 'percentage'] as const;

export function PreheatTarget({ form }: { readonly form: Form<PreheatValues> }): ReactNode {
  const t = useText();
  const { scope, target } = form.values;
  return (
    <Section title={t('preheat.where')}>
      <Box sx={{ display: 'grid', gap: 2.5, gridTemplateColumns: { xs: '1fr', md: '1fr 1fr' }, alignItems: 'start' }}>
        <ClustersInput field={form.field('clusters')} />
        <ChoiceInput
          field={form.field('scope') as FieldProps<string>}
          label={t('preheat.scope')}
          help={t(`preheat.scope.${scope}.help`)}
          choices={scopes.map((value) => ({ value, label: t(`preheat.scope.${value}`) }))}
        />
        {scope !== 'single_seed_peer' && (
          <ChoiceInput
            field={form.field('target') as FieldProps<string>}
            label={t('preheat.target')}
            choices={targets.map((value) => ({ value, label: t(`preheat.target.${value}`) }))}
          />
        )}
        {scope !== 'single_seed_peer' && target === 'ips' && (
          <ListInput field={form.field('ips')} label={t('preheat.target.ips')} />
        )}
        {scope !== 'single_seed_peer' && (target === 'count' || target === 'percentage') && (
          <NumberInput
            field={form.field('amount')}
            label={t(`preheat.target.${target}`)}
            min={1}
            max={amountLimits[target]}
          />
        )}
      </Box>
    </Section>
  );
}

/** None means all. */
function ClustersInput({ field }: { readonly field: FieldProps<readonly string[]> }): ReactNode {
  const t = useText();
  const { data } = useQuery(allClustersQuery);
  const clusters = data?.rows ?? [];
  return (
    <Autocomplete
      multiple
      options={clusters}
      getOptionLabel={({ name }) => name}
      getOptionKey={({ id }) => id}
      value={clusters.filter(({ scheduler_cluster_id: id }) => field.value.includes(String(id)))}
      onChange={(_event, chosen) => field.onChange(chosen.map((cluster) => String(cluster.scheduler_cluster_id)))}
      renderInput={(params) => (
        <TextField
          {...params}
          label={t('nav.clusters')}
          helperText={field.problem ?? t('preheat.clustersHelp')}
          error={field.problem !== undefined}
        />
      )}
    />
  );
}
