/** A state in one word with the colour of its meaning; never by colour alone. */
import Chip, { type ChipProps } from '@mui/material/Chip';
import type { ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import type { PlainKey } from '../i18n/text.ts';

type Tone = NonNullable<ChipProps['color']>;

const states: Readonly<Record<string, readonly [Tone, PlainKey]>> = {
  active: ['success', 'state.active'],
  inactive: ['default', 'state.inactive'],
  online: ['success', 'state.online'],
  silent: ['error', 'state.silent'],
  lost: ['error', 'state.lost'],
  left: ['default', 'state.left'],
  enable: ['success', 'state.enabled'],
  disable: ['default', 'state.disabled'],
  PENDING: ['info', 'state.pending'],
  RECEIVED: ['info', 'state.pending'],
  STARTED: ['info', 'state.running'],
  RUNNING: ['info', 'state.running'],
  RETRY: ['warning', 'state.retrying'],
  CANCELLED: ['default', 'state.canceled'],
  SUCCESS: ['success', 'state.success'],
  FAILURE: ['error', 'state.failure'],
  Pending: ['info', 'state.pending'],
  ReceivedEmpty: ['info', 'state.pending'],
  ReceivedTiny: ['info', 'state.pending'],
  ReceivedSmall: ['info', 'state.pending'],
  ReceivedNormal: ['info', 'state.pending'],
  Running: ['info', 'state.running'],
  BackToSource: ['warning', 'state.backToSource'],
  Succeeded: ['success', 'state.success'],
  Failed: ['error', 'state.failure'],
  Leave: ['default', 'state.gone'],
  valid: ['success', 'state.valid'],
  expiring: ['warning', 'state.expiring'],
  expired: ['default', 'state.expired'],
  revoked: ['error', 'state.revoked'],
};

export function StateChip({ state }: { readonly state: string }): ReactNode {
  const t = useText();
  const [color, key] = states[state] ?? (['default', undefined] as const);
  return (
    <Chip
      size="small"
      variant="outlined"
      color={color}
      label={key === undefined ? state : t(key)}
      sx={{ fontWeight: 600 }}
    />
  );
}
