/** What a scheduler may be asked to do. */
import EditIcon from '@mui/icons-material/EditOutlined';
import IconButton from '@mui/material/IconButton';
import Tooltip from '@mui/material/Tooltip';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import type { paths } from '../api/schema.d.ts';
import { FormDialog } from '../components/form-dialog.tsx';
import { SwitchInput } from '../components/fields.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { schedulerFeaturesQuery, type Scheduler } from './member-queries.ts';

type Features = NonNullable<
  paths['/api/v1/schedulers/{id}']['patch']['requestBody']['content']['application/json']['features']
>;

export function EditFeaturesButton({ scheduler }: { readonly scheduler: Scheduler }): ReactNode {
  const t = useText();
  const [open, setOpen] = useState(false);
  const label = t('schedulers.editFeatures', { name: scheduler.host_name });
  return (
    <>
      <Tooltip title={label}>
        <IconButton size="small" aria-label={label} onClick={() => setOpen(true)}>
          <EditIcon fontSize="small" />
        </IconButton>
      </Tooltip>
      {open && <FeaturesDialog scheduler={scheduler} title={label} onClose={() => setOpen(false)} />}
    </>
  );
}

interface FeaturesDialogProps {
  readonly scheduler: Scheduler;
  readonly title: string;
  readonly onClose: () => void;
}

function FeaturesDialog({ scheduler: { id, features }, title, onClose }: FeaturesDialogProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const { data: known = [] } = useQuery(schedulerFeaturesQuery);
  const form = useForm<{ features: readonly string[] }>({
    initial: { features },
    send: async (values) => {
      const body = { features: values.features as Features };
      await dataOf(api.PATCH('/api/v1/schedulers/{id}', { params: { path: { id } }, body }));
      await client.invalidateQueries({ queryKey: ['schedulers'] });
    },
    onDone: onClose,
  });
  const { value, onChange, problem } = form.field('features');
  return (
    <FormDialog title={title} action={t('common.save')} form={form} onClose={onClose}>
      {known.map((feature) => (
        <SwitchInput
          key={feature}
          label={feature}
          field={{
            name: feature,
            value: value.includes(feature),
            problem,
            onChange: (on) => onChange(on ? [...value, feature] : value.filter((one) => one !== feature)),
          }}
        />
      ))}
    </FormDialog>
  );
}
