/** A button of something that cannot be undone: it asks first. */
import DeleteIcon from '@mui/icons-material/DeleteOutlined';
import Button from '@mui/material/Button';
import IconButton from '@mui/material/IconButton';
import Tooltip from '@mui/material/Tooltip';
import { useState, type ReactNode } from 'react';
import { ConfirmDialog, type Confirmation } from './confirm-dialog.tsx';

interface ConfirmButtonProps {
  readonly label: string;
  /** In rows of a table: an icon. */
  readonly compact?: boolean;
  readonly icon?: ReactNode;
  readonly confirmation: Confirmation;
}

export function ConfirmButton({ label, compact = false, icon, confirmation }: ConfirmButtonProps): ReactNode {
  const [asked, setAsked] = useState(false);
  const ask = (): void => setAsked(true);
  return (
    <>
      {compact ? (
        <Tooltip title={label}>
          <IconButton size="small" aria-label={label} onClick={ask}>
            {icon ?? <DeleteIcon fontSize="small" />}
          </IconButton>
        </Tooltip>
      ) : (
        <Button color="error" variant="outlined" startIcon={icon} onClick={ask}>
          {label}
        </Button>
      )}
      <ConfirmDialog confirmation={asked ? confirmation : undefined} onClose={() => setAsked(false)} />
    </>
  );
}
