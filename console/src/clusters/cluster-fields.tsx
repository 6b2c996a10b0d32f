/** The form of a cluster, for a new one and for changes. */
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import type { ReactNode } from 'react';
import { ErrorNotice } from '../components/error-notice.tsx';
import { ListInput, NumberInput, SwitchInput, TextInput } from '../components/fields.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Section } from '../components/section.tsx';
import type { Form } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { BlockListInput } from './block-list-input.tsx';
import { limitNames, limits, type ClusterValues } from './cluster-form.ts';

const twoColumns = {
  display: 'grid',
  gap: 2.5,
  gridTemplateColumns: { xs: '1fr', md: '1fr 1fr' },
  alignItems: 'start',
};

interface ClusterFieldsProps {
  readonly form: Form<ClusterValues>;
  readonly action: string;
  readonly back: string;
}

export function ClusterFields({ form, action, back }: ClusterFieldsProps): ReactNode {
  const t = useText();
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        form.submit();
      }}
    >
      <Stack spacing={2.5}>
        <Section title={t('clusters.identity')}>
          <Box sx={twoColumns}>
            <TextInput field={form.field('name')} label={t('field.name')} required />
            <TextInput field={form.field('bio')} label={t('field.description')} />
            <SwitchInput
              field={form.field('is_default')}
              label={t('clusters.isDefault')}
              help={t('clusters.isDefaultHelp')}
            />
          </Box>
        </Section>
        <Section title={t('clusters.scopes')} about={t('clusters.scopesAbout')}>
          <Box sx={twoColumns}>
            <ListInput field={form.field('cidrs')} label={t('clusters.cidrs')} help={t('clusters.cidrsHelp')} />
            <ListInput
              field={form.field('hostnames')}
              label={t('clusters.hostnames')}
              help={t('clusters.hostnamesHelp')}
            />
            <ListInput field={form.field('idcs')} label={t('clusters.idcs')} help={t('clusters.idcsHelp')} />
            <TextInput field={form.field('location')} label={t('field.location')} help={t('clusters.locationHelp')} />
          </Box>
        </Section>
        <Section title={t('clusters.limits')} about={t('clusters.limitsAbout')}>
          <Box sx={twoColumns}>
            {limitNames.map((name) => (
              <NumberInput
                key={name}
                field={form.field(name)}
                label={t(`limit.${name}`)}
                help={t(`limit.${name}.help`)}
                {...limits[name]}
              />
            ))}
          </Box>
        </Section>
        <Section title={t('clusters.blockLists')} about={t('clusters.blockListsAbout')}>
          <Box sx={twoColumns}>
            <BlockListInput label={t('clusters.blocksOfPeers')} field={form.field('peer_blocks')} />
            <BlockListInput label={t('clusters.blocksOfSeeds')} field={form.field('seed_blocks')} />
          </Box>
        </Section>
        {form.error !== undefined && <ErrorNotice error={form.error} />}
        <Stack direction="row" spacing={1.5}>
          <Button type="submit" variant="contained" loading={form.pending}>
            {action}
          </Button>
          <LinkButton to={back}>{t('common.cancel')}</LinkButton>
        </Stack>
      </Stack>
    </form>
  );
}
