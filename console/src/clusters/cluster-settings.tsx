/** What a cluster is set to. */
import Box from '@mui/material/Box';
import Chip from '@mui/material/Chip';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { CopyButton } from '../components/copy-button.tsx';
import { Facts } from '../components/facts.tsx';
import { Section } from '../components/section.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { blockFieldsOf, blockKinds, countRules, rulesOf, type BlockFields } from './block-list.ts';
import { limitNames, valuesOf } from './cluster-form.ts';
import { configOf, type Cluster } from './cluster-queries.ts';
import { ScopeChips } from './scope-chips.tsx';

export function ClusterSettings({ cluster }: { readonly cluster: Cluster }): ReactNode {
  const t = useText();
  const { number } = useFormats();
  const { scopes, peer, seedPeer } = configOf(cluster);
  const values = valuesOf(cluster);
  const id = (
    <>
      {cluster.scheduler_cluster_id} <CopyButton text={String(cluster.scheduler_cluster_id)} />
    </>
  );
  return (
    <Box
      sx={{
        display: 'grid',
        gap: 2.5,
        gridTemplateColumns: { xs: 'minmax(0, 1fr)', md: 'repeat(2, minmax(0, 1fr))' },
        alignItems: 'start',
      }}
    >
      <Section title={t('clusters.identity')}>
        <Facts
          facts={[
            { name: t('clusters.id'), value: id },
            { name: t('clusters.isDefault'), value: t(cluster.is_default ? 'common.yes' : 'common.no') },
            { name: t('field.created'), value: <TimeText at={cluster.created_at} /> },
            { name: t('field.updated'), value: <TimeText at={cluster.updated_at} /> },
          ]}
        />
      </Section>
      <Section title={t('clusters.scopes')} about={t('clusters.scopesAbout')}>
        <ScopeChips scopes={scopes} all />
      </Section>
      <Section title={t('clusters.limits')}>
        <Facts facts={limitNames.map((name) => ({ name: t(`limit.${name}`), value: number(Number(values[name])) }))} />
      </Section>
      <Section title={t('clusters.blockLists')}>
        <Stack spacing={2}>
          <BlockListText label={t('clusters.blocksOfPeers')} fields={blockFieldsOf(peer.block_list)} />
          <BlockListText label={t('clusters.blocksOfSeeds')} fields={blockFieldsOf(seedPeer.block_list)} />
        </Stack>
      </Section>
    </Box>
  );
}

function BlockListText({ label, fields }: { readonly label: string; readonly fields: BlockFields }): ReactNode {
  const t = useText();
  return (
    <div>
      <Typography variant="h3">{label}</Typography>
      {countRules(fields) === 0 && <Typography color="textSecondary">{t('block.nothing')}</Typography>}
      {blockKinds.map((kind) => {
        const rules = rulesOf(kind).flatMap((rule) =>
          fields[kind][rule].map((value) => `${t(`block.${rule}`)}: ${value}`),
        );
        if (rules.length === 0) return null;
        return (
          <Stack
            key={kind}
            direction="row"
            useFlexGap
            spacing={0.5}
            sx={{ flexWrap: 'wrap', alignItems: 'center', mt: 0.5 }}
          >
            <Typography variant="body2">{t(`block.${kind}`)}</Typography>
            {rules.map((rule) => (
              <Chip key={rule} size="small" variant="outlined" label={rule} />
            ))}
          </Stack>
        );
      })}
    </div>
  );
}
