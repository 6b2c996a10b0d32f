/** A rule: which tags of which repositories, for which clusters, and when. The password goes in and never comes out again. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { allClustersQuery } from '../clusters/cluster-queries.ts';
import { ListInput, NumberInput, SwitchInput, TextInput } from '../components/fields.tsx';
import { FormDialog } from '../components/form-dialog.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { LoginFields } from './login-fields.tsx';
import { isLoginSent, loginProblems } from './registry-login.ts';
import { rulesKey, type Rule } from './rule-queries.ts';

interface RuleDialogProps {
  /** Absent: a new one. */
  readonly rule: Rule | undefined;
  readonly onClose: () => void;
}

const mebibyte = 1024 * 1024;

export function RuleDialog({ rule, onClose }: RuleDialogProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const { data } = useQuery(allClustersQuery);
  const clusters = data?.rows ?? [];
  const nameOf = (id: number): string =>
    clusters.find(({ scheduler_cluster_id: own }) => own === id)?.name ?? String(id);
  const idsOf = (names: readonly string[]): (number | undefined)[] =>
    names.map((name) => clusters.find((cluster) => cluster.name === name)?.scheduler_cluster_id);
  const numberProblem = (text: string): string | undefined =>
    text !== '' && Number(text) >= 0 ? undefined : t('replication.badNumber');
  const form = useForm({
    initial: {
      name: rule?.name ?? '',
      source: rule?.source ?? '',
      tags: rule?.tags ?? (['*'] as readonly string[]),
      clusters: (rule?.scheduler_cluster_ids ?? []).map(nameOf) as readonly string[],
      onPush: rule?.on_push ?? false,
      minutes: String((rule?.interval_seconds ?? 0) / 60),
      rate: String((rule?.rate_bytes_per_sec ?? 0) / mebibyte),
      concurrency: String(rule?.concurrency ?? 4),
      username: rule?.username ?? '',
      password: '',
      toClusters: rule?.to_clusters ?? true,
      target: rule?.target ?? '',
      target_username: rule?.target_username ?? '',
      target_password: '',
      enabled: rule?.enabled ?? true,
    },
    check: (values) => {
      const { name, source, tags, concurrency, toClusters, target } = values;
      const { username, password } = loginProblems(
        { username: values.username, password: values.password, place: source },
        rule && { username: rule.username, place: rule.source },
        t('form.required'),
      );
      const atTarget = loginProblems(
        { username: values.target_username, password: values.target_password, place: target },
        rule && { username: rule.target_username, place: rule.target },
        t('form.required'),
      );
      return {
        name: name === '' ? t('form.required') : undefined,
        source: source === '' ? t('form.required') : undefined,
        tags: tags.length === 0 ? t('form.required') : undefined,
        clusters: idsOf(values.clusters).includes(undefined) ? t('replication.badCluster') : undefined,
        minutes: numberProblem(values.minutes),
        rate: numberProblem(values.rate),
        concurrency: Number(concurrency) >= 1 ? numberProblem(concurrency) : t('replication.badNumber'),
        username,
        password,
        target: target === '' && !toClusters ? t('form.required') : undefined,
        target_username: atTarget.username,
        target_password: atTarget.password,
      };
    },
    send: async (values) => {
      const { name, source, tags, username, password, target, target_username, target_password, enabled } = values;
      const body = {
        name,
        source,
        enabled,
        tags: [...tags],
        scheduler_cluster_ids: idsOf(values.clusters).filter((id) => id !== undefined),
        to_clusters: values.toClusters,
        target,
        on_push: values.onPush,
        interval_seconds: Math.round(Number(values.minutes) * 60),
        rate_bytes_per_sec: Math.round(Number(values.rate) * mebibyte),
        concurrency: Number(values.concurrency),
        ...(isLoginSent({ username, password }) && { username, password }),
        ...(isLoginSent({ username: target_username, password: target_password }) && {
          target_username,
          target_password,
        }),
      };
      await (rule
        ? dataOf(api.PATCH('/api/v1/replication-rules/{id}', { params: { path: { id: rule.id } }, body }))
        : dataOf(api.POST('/api/v1/replication-rules', { body })));
      await client.invalidateQueries({ queryKey: rulesKey });
    },
    onDone: onClose,
  });
  return (
    <FormDialog
      title={rule ? t('replication.edit', { name: rule.name }) : t('replication.create')}
      action={t(rule ? 'common.save' : 'common.create')}
      form={form}
      onClose={onClose}
    >
      <TextInput field={form.field('name')} label={t('field.name')} autoFocus={!rule} required />
      <TextInput
        field={form.field('source')}
        label={t('replication.source')}
        help={t('replication.sourceHelp')}
        required
      />
      <ListInput field={form.field('tags')} label={t('replication.tags')} help={t('replication.tagsHelp')} required />
      <ListInput
        field={form.field('clusters')}
        label={t('nav.clusters')}
        help={t('replication.clustersHelp')}
        suggestions={clusters.map(({ name }) => name)}
      />
      <SwitchInput
        field={form.field('toClusters')}
        label={t('replication.toClusters')}
        help={t('replication.toClustersHelp')}
      />
      <TextInput field={form.field('target')} label={t('replication.target')} help={t('replication.targetHelp')} />
      <LoginFields
        username={form.field('target_username')}
        password={form.field('target_password')}
        labels={{ username: t('replication.targetUser'), password: t('replication.targetPassword') }}
      />
      <SwitchInput field={form.field('onPush')} label={t('replication.onPush')} help={t('replication.onPushHelp')} />
      <NumberInput
        field={form.field('minutes')}
        label={t('replication.minutes')}
        help={t('replication.minutesHelp')}
        min={0}
        max={527_040}
      />
      <NumberInput
        field={form.field('rate')}
        label={t('replication.rate')}
        help={t('replication.rateHelp')}
        min={0}
        max={1_000_000}
      />
      <NumberInput field={form.field('concurrency')} label={t('replication.concurrency')} min={1} max={64} />
      <LoginFields
        username={form.field('username')}
        password={form.field('password')}
        labels={{ username: t('user.name'), password: t('user.password') }}
      />
      <SwitchInput field={form.field('enabled')} label={t('replication.enabled')} />
    </FormDialog>
  );
}
