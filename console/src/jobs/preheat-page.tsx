/** Bring content to where it will be wanted, before it is. */
import Alert from '@mui/material/Alert';
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import ToggleButton from '@mui/material/ToggleButton';
import ToggleButtonGroup from '@mui/material/ToggleButtonGroup';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextInput } from '../components/fields.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';
import { createJob, estimatePreheat } from './job-queries.ts';
import { PreheatCost } from './preheat-cost.tsx';
import { emptyPreheat, jobOf, problemsOf, type PreheatValues } from './preheat-form.ts';
import { PreheatOptions } from './preheat-options.tsx';
import { PreheatTarget } from './preheat-target.tsx';

export function PreheatPage(): ReactNode {
  const t = useText();
  const may = useMay('jobs');
  const client = useQueryClient();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const form = useForm<PreheatValues>({
    initial: { ...emptyPreheat, url: params.get('url') ?? '', type: params.get('type') === 'file' ? 'file' : 'image' },
    check: (values) => problemsOf(values, t),
    send: async (values) => {
      const job = await createJob(jobOf(values));
      await client.invalidateQueries({ queryKey: ['jobs'] });
      await navigate(`/jobs/${job.id}`);
    },
  });
  const { type } = form.values;
  const cost = useMutation({ mutationFn: (values: PreheatValues) => estimatePreheat(jobOf(values)) });
  const complete = Object.values(problemsOf(form.values, t)).every((problem) => problem === undefined);
  return (
    <Page title={t('nav.preheat')} about={t('preheat.about')}>
      {!may && <Alert severity="info">{t('preheat.mayNot')}</Alert>}
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          form.submit();
        }}
      >
        <Stack spacing={2.5}>
          <Section title={t('preheat.what')}>
            <Stack spacing={2.5}>
              <ToggleButtonGroup
                exclusive
                size="small"
                color="primary"
                value={type}
                aria-label={t('field.type')}
                onChange={(_event, next: PreheatValues['type'] | null) => next && form.set({ type: next })}
              >
                <ToggleButton value="image">{t('preheat.image')}</ToggleButton>
                <ToggleButton value="file">{t('preheat.file')}</ToggleButton>
              </ToggleButtonGroup>
              <TextInput
                field={form.field('url')}
                label={type === 'image' ? t('preheat.imageUrl') : t('preheat.fileUrls')}
                help={type === 'image' ? t('preheat.imageUrlHelp') : t('preheat.fileUrlsHelp')}
                placeholder={type === 'image' ? 'nginx:1.27' : 'https://files.example.com/model.bin'}
                {...(type === 'file' && { rows: 2 })}
                required
              />
              <TextInput field={form.field('bio')} label={t('field.description')} />
            </Stack>
          </Section>
          <PreheatTarget form={form} />
          <div>
            <PreheatOptions form={form} />
          </div>
          {form.error !== undefined && <ErrorNotice error={form.error} />}
          {cost.error && <ErrorNotice error={cost.error} />}
          {cost.data && cost.variables === form.values && <PreheatCost estimate={cost.data} />}
          <Box sx={{ display: 'flex', gap: 1.5 }}>
            <Button type="submit" variant="contained" loading={form.pending} disabled={!may}>
              {t('preheat.start')}
            </Button>
            <Button
              variant="outlined"
              loading={cost.isPending}
              disabled={!may || !complete}
              onClick={() => cost.mutate(form.values)}
            >
              {t('preheat.showCost')}
            </Button>
            <LinkButton to="/jobs">{t('common.cancel')}</LinkButton>
          </Box>
        </Stack>
      </form>
    </Page>
  );
}
