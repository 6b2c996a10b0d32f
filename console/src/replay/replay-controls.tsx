/** Play, pause, where in time, and how fast. */
import PauseIcon from '@mui/icons-material/PauseOutlined';
import PlayIcon from '@mui/icons-material/PlayArrowOutlined';
import IconButton from '@mui/material/IconButton';
import MenuItem from '@mui/material/MenuItem';
import Slider from '@mui/material/Slider';
import Stack from '@mui/material/Stack';
import TextField from '@mui/material/TextField';
import Typography from '@mui/material/Typography';
import { useEffect, useState, useSyncExternalStore, type ReactNode } from 'react';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { ReplayPlayer } from './replay-player.ts';

const lengths = { short: 10_000, long: 30_000, real: undefined } as const;
type Length = keyof typeof lengths;
const lengthNames = ['short', 'long', 'real'] as const;

export function ReplayControls({ player }: { readonly player: ReplayPlayer }): ReactNode {
  const t = useText();
  const { duration } = useFormats();
  const { atMs, playing } = useSyncExternalStore(player.subscribe, player.state);
  const [length, setLength] = useState<Length>('short');
  useEffect(() => player.setLength(lengths[length]), [player, length]);
  useEffect(() => {
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) player.play();
    return () => player.pause();
  }, [player]);
  return (
    <Stack direction="row" useFlexGap spacing={2} sx={{ mt: 1.5, alignItems: 'center', flexWrap: 'wrap' }}>
      <IconButton
        aria-label={t(playing ? 'replay.pause' : 'replay.play')}
        onClick={() => (playing ? player.pause() : player.play())}
      >
        {playing ? <PauseIcon /> : <PlayIcon />}
      </IconButton>
      <Slider
        size="small"
        min={0}
        max={player.lengthMs}
        value={atMs}
        aria-label={t('replay.position')}
        getAriaValueText={(ms) => duration(ms)}
        onChange={(_, value) => {
          player.pause();
          player.seek(Number(value));
        }}
        sx={{ flex: '1 1 160px' }}
      />
      <Typography variant="body2" sx={{ minWidth: 120, fontVariantNumeric: 'tabular-nums' }}>
        {t('replay.at', { at: duration(atMs), length: duration(player.lengthMs) })}
      </Typography>
      <TextField
        select
        size="small"
        label={t('replay.lasts')}
        value={length}
        onChange={({ target: { value } }) => setLength(lengthNames.find((name) => name === value) ?? 'short')}
        sx={{ width: 150 }}
      >
        {lengthNames.map((name) => (
          <MenuItem key={name} value={name}>
            {name === 'real' ? t('replay.real') : duration(lengths[name])}
          </MenuItem>
        ))}
      </TextField>
    </Stack>
  );
}
