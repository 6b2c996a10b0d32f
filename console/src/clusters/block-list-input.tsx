/** Editor of one block list, one kind of task at a time. */
import ExpandMoreIcon from '@mui/icons-material/ExpandMore';
import Accordion from '@mui/material/Accordion';
import AccordionDetails from '@mui/material/AccordionDetails';
import AccordionSummary from '@mui/material/AccordionSummary';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useId, type ReactNode } from 'react';
import { ListInput } from '../components/fields.tsx';
import type { FieldProps } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { blockKinds, rulesOf, type BlockFields, type BlockKind } from './block-list.ts';

export function BlockListInput({
  label,
  field,
}: {
  readonly label: string;
  readonly field: FieldProps<BlockFields>;
}): ReactNode {
  return (
    <div>
      <Typography variant="h3" sx={{ mb: 1 }}>
        {label}
      </Typography>
      {blockKinds.map((kind) => (
        <BlockKindInput key={kind} kind={kind} field={field} />
      ))}
      {field.problem !== undefined && (
        <Typography role="alert" color="error" variant="body2">
          {field.problem}
        </Typography>
      )}
    </div>
  );
}

function BlockKindInput({
  kind,
  field,
}: {
  readonly kind: BlockKind;
  readonly field: FieldProps<BlockFields>;
}): ReactNode {
  const t = useText();
  const id = useId();
  const rules = field.value[kind];
  const count = rulesOf(kind).reduce((sum, rule) => sum + rules[rule].length, 0);
  return (
    <Accordion disableGutters variant="outlined" sx={{ bgcolor: 'transparent' }}>
      <AccordionSummary id={id} aria-controls={`${id}-panel`} expandIcon={<ExpandMoreIcon />}>
        <Stack direction={{ xs: 'column', sm: 'row' }} useFlexGap sx={{ flex: 1, columnGap: 2 }}>
          <Typography sx={{ flex: 1 }}>{t(`block.${kind}`)}</Typography>
          <Typography variant="body2" color="textSecondary" sx={{ mr: 1, alignSelf: { sm: 'center' } }}>
            {count === 0 ? t('block.nothing') : t('block.rules', { count })}
          </Typography>
        </Stack>
      </AccordionSummary>
      <AccordionDetails>
        <Stack spacing={2}>
          {rulesOf(kind).map((rule) => (
            <ListInput
              key={rule}
              label={t(`block.${rule}`)}
              help={t(`block.${rule}Help`)}
              field={{
                name: `${field.name}.${kind}.${rule}`,
                value: rules[rule],
                problem: undefined,
                onChange: (value) => field.onChange({ ...field.value, [kind]: { ...rules, [rule]: value } }),
              }}
            />
          ))}
        </Stack>
      </AccordionDetails>
    </Accordion>
  );
}
