/** What few preheats need: credentials of the registry, and what makes a task's identity. */
import ExpandMoreIcon from '@mui/icons-material/ExpandMore';
import Accordion from '@mui/material/Accordion';
import AccordionDetails from '@mui/material/AccordionDetails';
import AccordionSummary from '@mui/material/AccordionSummary';
import Box from '@mui/material/Box';
import Typography from '@mui/material/Typography';
import { useId, type ReactNode } from 'react';
import { ChoiceInput, ListInput, TextInput } from '../components/fields.tsx';
import type { Form } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { pieceLengthsMiB, type PreheatValues } from './preheat-form.ts';

export function PreheatOptions({ form }: { readonly form: Form<PreheatValues> }): ReactNode {
  const t = useText();
  const id = useId();
  const pieceLengths = [
    { value: '', label: t('preheat.pieceLengthAuto') },
    ...pieceLengthsMiB.map((value) => ({ value, label: `${value} MiB` })),
  ];
  return (
    <Accordion disableGutters variant="outlined">
      <AccordionSummary id={id} aria-controls={`${id}-panel`} expandIcon={<ExpandMoreIcon />}>
        <Typography variant="h2" component="span">
          {t('preheat.options')}
        </Typography>
      </AccordionSummary>
      <AccordionDetails>
        <Box
          sx={{
            display: 'grid',
            gap: 2.5,
            gridTemplateColumns: { xs: '1fr', md: '1fr 1fr' },
            alignItems: 'start',
            pt: 1,
          }}
        >
          {form.values.type === 'image' && (
            <>
              <TextInput field={form.field('username')} label={t('preheat.username')} autoComplete="off" />
              <TextInput
                field={form.field('password')}
                label={t('user.password')}
                type="password"
                autoComplete="new-password"
              />
              <TextInput
                field={form.field('platform')}
                label={t('preheat.platform')}
                help={t('preheat.platformHelp')}
                placeholder="linux/amd64"
              />
            </>
          )}
          <ChoiceInput field={form.field('piece_length')} label={t('task.pieceLength')} choices={pieceLengths} />
          <TextInput field={form.field('tag')} label={t('task.tag')} help={t('preheat.identityHelp')} />
          <TextInput field={form.field('application')} label={t('task.application')} help={t('preheat.identityHelp')} />
          <ListInput
            field={form.field('filtered_query_params')}
            label={t('preheat.filteredParams')}
            help={t('preheat.filteredParamsHelp')}
          />
          <TextInput
            field={form.field('headers')}
            label={t('preheat.headers')}
            help={t('preheat.headersHelp')}
            rows={2}
          />
        </Box>
      </AccordionDetails>
    </Accordion>
  );
}
