import { useColorScheme } from '@mui/material/styles';
import { useMemo } from 'react';
import { palettes } from '../app/theme.ts';
import type { Colors } from './swarm-painter.ts';

/** A canvas knows no CSS variables: the colours of the scheme that is on. */
export function useSwarmColors(): Colors {
  const { mode, systemMode } = useColorScheme();
  const scheme = (mode === 'system' ? systemMode : mode) === 'dark' ? 'dark' : 'light';
  return useMemo(() => {
    const palette = palettes[scheme];
    return {
      text: palette.text.primary,
      muted: palette.text.secondary,
      line: palette.divider,
      zone: palette.background.paper,
      empty: palette.background.default,
      origin: palette.source.origin,
      seed: palette.source.seed,
      peer: palette.source.peer,
      failed: palette.error.main,
    };
  }, [scheme]);
}
