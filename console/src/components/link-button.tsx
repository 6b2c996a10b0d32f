import Button, { type ButtonProps } from '@mui/material/Button';
import type { ReactNode } from 'react';
import { Link } from 'react-router';

interface LinkButtonProps extends Pick<ButtonProps, 'variant' | 'color' | 'size' | 'startIcon'> {
  readonly to: string;
  readonly children: ReactNode;
}

/** A link that looks like a button. */
export function LinkButton({ to, children, ...looks }: LinkButtonProps): ReactNode {
  return (
    <Button component={Link} to={to} {...looks}>
      {children}
    </Button>
  );
}
