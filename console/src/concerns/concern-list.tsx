/** Concerns one by one, or several of a kind together: what it is, since when, what to do, and who takes care of it. */
import Alert from '@mui/material/Alert';
import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { errorText } from '../components/error-notice.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { pathOf } from '../nodes/node-queries.ts';
import { useMay } from '../session/use-session.ts';
import { acknowledge, type Concern } from './concern-queries.ts';

/** More of a kind are told in one. */
const maxSingly = 3;
const namesShown = 8;

interface ConcernListProps {
  readonly concerns: readonly Concern[];
  /** They lead to where more is told. */
  readonly linked?: boolean;
}

export function ConcernList({ concerns, linked = true }: ConcernListProps): ReactNode {
  const t = useText();
  const [showsKnown, setShowsKnown] = useState(false);
  const open = concerns.filter(({ acknowledged_by: by }) => by === '');
  const known = concerns.filter(({ acknowledged_by: by }) => by !== '');
  if (concerns.length === 0) return null;
  return (
    <Stack spacing={1}>
      {grouped(open).map((group) => (
        <ConcernAlert key={group.map(({ id }) => id).join()} group={group} linked={linked} />
      ))}
      {known.length > 0 && (
        <Button
          size="small"
          aria-expanded={showsKnown}
          onClick={() => setShowsKnown((shown) => !shown)}
          sx={{ alignSelf: 'flex-start' }}
        >
          {t('concern.known', { count: known.length })}
        </Button>
      )}
      {showsKnown &&
        grouped(known).map((group) => (
          <ConcernAlert key={group.map(({ id }) => id).join()} group={group} linked={linked} />
        ))}
    </Stack>
  );
}

interface ConcernAlertProps {
  readonly group: readonly Concern[];
  readonly linked: boolean;
}

function ConcernAlert({ group, linked }: ConcernAlertProps): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const notify = useNotify();
  const may = useMay('concerns');
  const [first] = group;
  const isKnown = first?.acknowledged_by !== '';
  const mutation = useMutation({
    mutationFn: () => acknowledge(group, !isKnown),
    onSuccess: () => client.invalidateQueries({ queryKey: ['concerns'] }),
    onError: (error) => notify.failed(errorText(error, t)),
  });
  if (!first) return null;
  const newest = Math.max(...group.map(({ since_ms: since }) => since));
  const names = group.slice(0, namesShown).map(({ name }) => name);
  const more = group.length - names.length;
  return (
    <Alert severity={isKnown ? 'info' : first.severity}>
      <Typography variant="body2" sx={{ fontWeight: 600, overflowWrap: 'anywhere' }}>
        {group.length === 1
          ? t(`concern.${first.kind}`, { name: first.name })
          : t(`concern.${first.kind}.many`, {
              count: group.length,
              names: more > 0 ? t('concern.more', { names: names.join(', '), more }) : names.join(', '),
            })}{' '}
        <Typography component="span" variant="body2" color="textSecondary">
          <TimeText at={newest} />
        </Typography>
      </Typography>
      {group.length === 1 && <Detail concern={first} />}
      <Typography variant="body2">{t(`concern.${first.kind}.todo`)}</Typography>
      <Stack direction="row" useFlexGap spacing={1} sx={{ mt: 0.5, ml: -0.75, flexWrap: 'wrap', alignItems: 'center' }}>
        {linked && (
          <LinkButton to={targetOf(group)} color="inherit" size="small">
            {t('alert.show')}
          </LinkButton>
        )}
        {may && (
          <Button color="inherit" size="small" loading={mutation.isPending} onClick={() => mutation.mutate()}>
            {t(isKnown ? 'concern.release' : 'concern.take')}
          </Button>
        )}
        {isKnown && (
          <Typography variant="caption" color="textSecondary">
            {t('concern.takenBy', { name: first.acknowledged_by })} <TimeText at={first.acknowledged_at_ms} />
          </Typography>
        )}
      </Stack>
    </Alert>
  );
}

/** Figures and names that the manager found, where they say more than the sentence. */
function Detail({ concern: { kind, detail } }: { readonly concern: Concern }): ReactNode {
  if (kind === 'node-lost' || kind === 'node-silent' || kind === 'no-scheduler' || kind === 'scheduler-inactive')
    return null;
  return (
    <Typography variant="body2" color="textSecondary" lang="en" sx={{ overflowWrap: 'anywhere' }}>
      {detail}
    </Typography>
  );
}

/** Of one kind and one care-taker; in the order of the first of each. */
function grouped(concerns: readonly Concern[]): (readonly Concern[])[] {
  const groups = new Map<string, Concern[]>();
  for (const concern of concerns) {
    const key = `${concern.kind} ${concern.severity} ${concern.acknowledged_by}`;
    groups.set(key, [...(groups.get(key) ?? []), concern]);
  }
  return [...groups.values()].flatMap((group) => (group.length > maxSingly ? [group] : group.map((one) => [one])));
}

function targetOf([first, ...others]: readonly Concern[]): string {
  if (!first) return '/nodes';
  if (first.kind === 'no-scheduler' || first.kind === 'scheduler-inactive') return '/schedulers';
  if (first.kind === 'certificate-ending') return '/certificates';
  if (others.length === 0) return pathOf({ id: first.node_id, scheduler_cluster_id: first.scheduler_cluster_id });
  if (first.kind === 'node-lost') return '/nodes?state=lost';
  return first.kind === 'node-silent' ? '/nodes?state=silent' : '/nodes';
}
