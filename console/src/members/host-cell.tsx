import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { monospace } from '../app/theme.ts';
import { TextLink } from '../components/text-link.tsx';

interface HostCellProps {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Where the name leads. */
  readonly to?: string;
}

/** A member's name, and below it where it listens. */
export function HostCell({ name, ip, port, to }: HostCellProps): ReactNode {
  return (
    <>
      {to === undefined ? name : <TextLink to={to}>{name}</TextLink>}
      <Typography component="div" variant="caption" color="textSecondary" sx={{ fontFamily: monospace }}>
        {ip.includes(':') ? `[${ip}]` : ip}:{port}
      </Typography>
    </>
  );
}
