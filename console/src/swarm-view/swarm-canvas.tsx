/** The live picture of a swarm. What it shows is in the tables beside it as well, for those who do not see it. */
import FitScreenIcon from '@mui/icons-material/FitScreenOutlined';
import AddIcon from '@mui/icons-material/Add';
import RemoveIcon from '@mui/icons-material/Remove';
import Box from '@mui/material/Box';
import IconButton from '@mui/material/IconButton';
import Paper from '@mui/material/Paper';
import Tooltip from '@mui/material/Tooltip';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import type { PeerState } from '../events/event-types.ts';
import { useText } from '../i18n/language.tsx';
import type { Translate } from '../i18n/text.ts';
import type { Labels } from './swarm-painter.ts';
import { SwarmStage } from './swarm-stage.ts';
import type { SwarmModel } from './swarm-model.ts';
import { useSwarmColors } from './use-swarm-colors.ts';

interface SwarmCanvasProps {
  readonly model: SwarmModel;
  readonly label: string;
  readonly selected: string | undefined;
  readonly onSelect: (peerId: string | undefined) => void;
  readonly describe: (peer: PeerState) => ReactNode;
  /** Pixels; more where there is room when left out. */
  readonly height?: number;
}

const zoomStep = 1.4;

export function SwarmCanvas({ model, label, selected, onSelect, describe, height }: SwarmCanvasProps): ReactNode {
  const t = useText();
  const colors = useSwarmColors();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [stage, setStage] = useState<SwarmStage>();
  const [hovered, setHovered] = useState<{ readonly peer: PeerState; readonly x: number; readonly y: number }>();

  useEffect(() => {
    if (!canvas.current) return;
    const opened = new SwarmStage(canvas.current, model);
    setStage(opened);
    return () => opened.close();
  }, [model]);
  useEffect(() => stage?.setLooks({ colors, labels: labelsOf(t) }), [stage, colors, t]);
  useEffect(() => stage?.setSelected(selected), [stage, selected]);
  useEffect(
    () =>
      stage?.listen({
        onHover: (peer, at) => setHovered(peer && { peer, ...at }),
        onSelect: (peer) => onSelect(peer?.id),
      }),
    [stage, onSelect],
  );

  return (
    <Box
      sx={{
        position: 'relative',
        height: height ?? { xs: 340, sm: 480 },
        overflow: 'hidden',
        borderRadius: 2,
        bgcolor: 'background.default',
      }}
    >
      <Box
        component="canvas"
        ref={canvas}
        role="img"
        aria-label={label}
        sx={{ width: '100%', height: '100%', display: 'block', touchAction: 'none', cursor: 'grab' }}
      />
      <Box
        sx={{
          position: 'absolute',
          right: 8,
          bottom: 8,
          display: 'flex',
          flexDirection: 'column',
          bgcolor: 'background.paper',
          borderRadius: 2,
          border: 1,
          borderColor: 'divider',
        }}
      >
        <ViewButton
          label={t('swarm.zoomIn')}
          onClick={() => stage?.zoom(zoomStep)}
          icon={<AddIcon fontSize="small" />}
        />
        <ViewButton
          label={t('swarm.zoomOut')}
          onClick={() => stage?.zoom(1 / zoomStep)}
          icon={<RemoveIcon fontSize="small" />}
        />
        <ViewButton label={t('swarm.fit')} onClick={() => stage?.fit()} icon={<FitScreenIcon fontSize="small" />} />
      </Box>
      {hovered && (
        <Paper
          elevation={4}
          sx={{
            position: 'absolute',
            left: hovered.x + 14,
            top: hovered.y + 14,
            p: 1.25,
            pointerEvents: 'none',
            maxWidth: 280,
            fontSize: '0.82rem',
          }}
        >
          {describe(hovered.peer)}
        </Paper>
      )}
    </Box>
  );
}

function labelsOf(t: Translate): Labels {
  return {
    origin: t('swarm.origin'),
    zone: (name, peers) => (name === '' ? t('swarm.peers', { peers }) : `${name} · ${t('swarm.peers', { peers })}`),
  };
}

function ViewButton({
  label,
  onClick,
  icon,
}: {
  readonly label: string;
  readonly onClick: () => void;
  readonly icon: ReactNode;
}): ReactNode {
  return (
    <Tooltip title={label} placement="left">
      <IconButton size="small" aria-label={label} onClick={onClick}>
        {icon}
      </IconButton>
    </Tooltip>
  );
}
