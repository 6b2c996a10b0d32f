/** One kind of record: its time to live, and “now”. */
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { NumberInput } from '../components/fields.tsx';
import { Section } from '../components/section.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useForm } from '../components/use-form.ts';
import type { Config } from '../configuration/config-queries.ts';
import { useText } from '../i18n/language.tsx';
import { createJob } from '../jobs/job-queries.ts';
import { useMay, useSession } from '../session/use-session.ts';
import { gcConfigName, nsPerHour, valueOf, type GcKindName, type GcTtls } from './gc-config.ts';

const maxHours = 24 * 3650;

interface GcKindProps {
  readonly kind: GcKindName;
  readonly config: Config | undefined;
  readonly ttls: GcTtls;
}

export function GcKind({ kind, config, ttls }: GcKindProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const notify = useNotify();
  const { user } = useSession();
  const mayConfigure = useMay('configs');
  const mayRun = useMay('jobs');
  const form = useForm({
    initial: { hours: String(ttls[kind] / nsPerHour) },
    check: ({ hours }) => ({
      hours: Number(hours) >= 1 && Number(hours) <= maxHours ? undefined : t('form.range', { min: 1, max: maxHours }),
    }),
    send: async ({ hours }) => {
      const value = valueOf({ ...ttls, [kind]: Math.round(Number(hours) * nsPerHour) });
      await (config
        ? dataOf(api.PATCH('/api/v1/configs/{id}', { params: { path: { id: config.id } }, body: { value } }))
        : dataOf(api.POST('/api/v1/configs', { body: { name: gcConfigName, value, user_id: user.id } })));
      await client.invalidateQueries({ queryKey: ['configs'] });
      notify.done(t('common.saved'));
    },
  });
  const daysText = (hours: number): string | undefined =>
    hours > 0 ? t('gc.ttlDays', { days: Math.round((hours / 24) * 10) / 10 }) : undefined;
  return (
    <Section title={t(`gc.${kind}`)} about={t(`gc.${kind}About`)}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          form.submit();
        }}
      >
        <Stack spacing={2}>
          <NumberInput
            field={form.field('hours')}
            label={t('gc.ttl')}
            help={daysText(Number(form.values.hours))}
            min={1}
            max={maxHours}
            disabled={!mayConfigure}
          />
          {form.error !== undefined && <ErrorNotice error={form.error} />}
          <Stack direction="row" spacing={1.5}>
            {mayConfigure && (
              <Button type="submit" variant="contained" loading={form.pending}>
                {t('common.save')}
              </Button>
            )}
            {mayRun && (
              <ConfirmButton
                label={t('gc.run')}
                confirmation={{
                  title: t(`gc.${kind}`),
                  reach: t('gc.runReach'),
                  action: t('gc.run'),
                  done: t('gc.ran'),
                  run: async () => {
                    await createJob({ type: 'gc', args: { type: kind } });
                    await client.invalidateQueries({ queryKey: ['jobs'] });
                  },
                }}
              />
            )}
          </Stack>
        </Stack>
      </form>
    </Section>
  );
}
