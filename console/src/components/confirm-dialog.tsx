/** Asks once before something is gone, and says what goes with it. */
import Button from '@mui/material/Button';
import Dialog from '@mui/material/Dialog';
import DialogActions from '@mui/material/DialogActions';
import DialogContent from '@mui/material/DialogContent';
import DialogTitle from '@mui/material/DialogTitle';
import Stack from '@mui/material/Stack';
import { useMutation } from '@tanstack/react-query';
import { useId, useState, type ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import { ErrorNotice } from './error-notice.tsx';
import { useNotify } from './toasts.tsx';

export interface Confirmation {
  readonly title: string;
  /** What will be affected, with names and numbers. */
  readonly reach: ReactNode;
  readonly action: string;
  readonly done: string;
  readonly run: () => Promise<unknown>;
}

interface ConfirmDialogProps {
  readonly confirmation: Confirmation | undefined;
  readonly onClose: () => void;
}

export function ConfirmDialog({ confirmation, onClose }: ConfirmDialogProps): ReactNode {
  const t = useText();
  const notify = useNotify();
  const titleId = useId();
  // What was asked is still drawn while the dialog fades out.
  const [asked, setAsked] = useState<Confirmation>();
  const last = confirmation ?? asked;
  if (confirmation && !asked) setAsked(confirmation);
  const mutation = useMutation({
    mutationFn: async () => last?.run(),
    onSuccess: () => {
      if (last) notify.done(last.done);
      onClose();
    },
  });
  return (
    <Dialog
      open={confirmation !== undefined}
      onClose={onClose}
      maxWidth="sm"
      fullWidth
      aria-labelledby={titleId}
      slotProps={{
        transition: {
          onExited: () => {
            mutation.reset();
            setAsked(undefined);
          },
        },
      }}
    >
      <DialogTitle id={titleId}>{last?.title}</DialogTitle>
      <DialogContent>
        <Stack spacing={2}>
          <div>{last?.reach}</div>
          {mutation.error && <ErrorNotice error={mutation.error} />}
        </Stack>
      </DialogContent>
      <DialogActions sx={{ p: 2 }}>
        <Button onClick={onClose}>{t('common.cancel')}</Button>
        <Button variant="contained" color="error" loading={mutation.isPending} onClick={() => mutation.mutate()}>
          {last?.action}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
