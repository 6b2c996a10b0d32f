import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { monospace } from '../app/theme.ts';

interface HostCellProps {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
}

/** A member's name, and below it where it listens. */
export function HostCell({ name, ip, port }: HostCellProps): ReactNode {
  return (
    <>
      {name}
      <Typography component="div" variant="caption" color="textSecondary" sx={{ fontFamily: monospace }}>
        {ip.includes(':') ? `[${ip}]` : ip}:{port}
      </Typography>
    </>
  );
}
