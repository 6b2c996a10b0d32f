/** Name, home and priorities of an application. */
import AddIcon from '@mui/icons-material/Add';
import DeleteIcon from '@mui/icons-material/DeleteOutlined';
import Button from '@mui/material/Button';
import IconButton from '@mui/material/IconButton';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { FormDialog } from '../components/form-dialog.tsx';
import { ChoiceInput, TextInput } from '../components/fields.tsx';
import { useForm, type FieldProps } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { useSession } from '../session/use-session.ts';
import { priorityLevels, type Application, type Priority } from './application-queries.ts';

interface Rule {
  readonly regex: string;
  readonly value: string;
}

interface ApplicationValues {
  readonly name: string;
  readonly url: string;
  readonly bio: string;
  readonly priority: string;
  readonly rules: readonly Rule[];
}

interface ApplicationDialogProps {
  /** Absent: a new one. */
  readonly application: Application | undefined;
  readonly onClose: () => void;
}

export function ApplicationDialog({ application, onClose }: ApplicationDialogProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const { user } = useSession();
  const form = useForm<ApplicationValues>({
    initial: valuesOf(application),
    check: ({ name, url, rules }) => ({
      name: name.trim() === '' ? t('form.required') : undefined,
      url: URL.canParse(url) ? undefined : t('form.badUrl', { url }),
      rules: rules.some(({ regex }) => regex === '') ? t('applications.emptyRule') : undefined,
    }),
    send: async ({ name, url, bio, priority, rules }) => {
      const urls = rules.map(({ regex, value }) => ({ regex, value: Number(value) }));
      const body = {
        name: name.trim(),
        url,
        bio,
        priority: { value: Number(priority), urls },
        user_id: application?.user_id ?? user.id,
      };
      await (application
        ? dataOf(api.PATCH('/api/v1/applications/{id}', { params: { path: { id: application.id } }, body }))
        : dataOf(api.POST('/api/v1/applications', { body })));
      await client.invalidateQueries({ queryKey: ['applications'] });
    },
    onDone: onClose,
  });
  return (
    <FormDialog
      title={application ? t('applications.edit', { name: application.name }) : t('applications.create')}
      action={t(application ? 'common.save' : 'common.create')}
      form={form}
      onClose={onClose}
    >
      <TextInput
        field={form.field('name')}
        label={t('field.name')}
        help={t('applications.nameHelp')}
        autoFocus
        required
      />
      <TextInput field={form.field('url')} label="URL" type="url" placeholder="https://example.com" required />
      <TextInput field={form.field('bio')} label={t('field.description')} />
      <LevelInput field={form.field('priority')} label={t('applications.priority')} />
      <RulesInput field={form.field('rules')} />
    </FormDialog>
  );
}

function LevelInput({ field, label }: { readonly field: FieldProps<string>; readonly label: string }): ReactNode {
  const t = useText();
  const choices = priorityLevels.map((level) => ({ value: String(level), label: t(`applications.level.${level}`) }));
  return <ChoiceInput field={field} label={label} choices={choices} />;
}

function RulesInput({ field }: { readonly field: FieldProps<readonly Rule[]> }): ReactNode {
  const t = useText();
  const replace = (index: number, change: Partial<Rule>): void =>
    field.onChange(field.value.map((rule, at) => (at === index ? { ...rule, ...change } : rule)));
  return (
    <Stack spacing={2}>
      <Typography variant="h3">{t('applications.rules')}</Typography>
      {field.value.map((rule, index) => (
        // Rules have no identity but their place.
        <Stack key={index} direction="row" spacing={1} sx={{ alignItems: 'flex-start' }}>
          <TextInput
            label={t('applications.regex')}
            field={{
              name: `rule-${index}`,
              value: rule.regex,
              problem: rule.regex === '' ? field.problem : undefined,
              onChange: (regex) => replace(index, { regex }),
            }}
          />
          <LevelInput
            label={t('applications.priority')}
            field={{
              name: `level-${index}`,
              value: rule.value,
              problem: undefined,
              onChange: (value) => replace(index, { value }),
            }}
          />
          <IconButton
            aria-label={t('applications.removeRule')}
            onClick={() => field.onChange(field.value.filter((_rule, at) => at !== index))}
          >
            <DeleteIcon fontSize="small" />
          </IconButton>
        </Stack>
      ))}
      <Button
        startIcon={<AddIcon />}
        onClick={() => field.onChange([...field.value, { regex: '', value: '0' }])}
        sx={{ alignSelf: 'flex-start' }}
      >
        {t('applications.addRule')}
      </Button>
    </Stack>
  );
}

function valuesOf(application: Application | undefined): ApplicationValues {
  if (!application) return { name: '', url: '', bio: '', priority: '0', rules: [] };
  const { value, urls = [] } = application.priority as unknown as Priority;
  return {
    name: application.name,
    url: application.url,
    bio: application.bio,
    priority: String(value),
    rules: urls.map((rule) => ({ regex: rule.regex, value: String(rule.value) })),
  };
}
