/** A small form in a dialog. */
import Button from '@mui/material/Button';
import Dialog from '@mui/material/Dialog';
import DialogActions from '@mui/material/DialogActions';
import DialogContent from '@mui/material/DialogContent';
import DialogTitle from '@mui/material/DialogTitle';
import Stack from '@mui/material/Stack';
import { useId, type ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import { ErrorNotice } from './error-notice.tsx';
import type { Form } from './use-form.ts';

interface FormDialogProps {
  readonly title: string;
  readonly action: string;
  readonly form: Pick<Form<object>, 'submit' | 'pending' | 'error'>;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** Mount it to open it: its state begins and ends with it. */
export function FormDialog({ title, action, form, onClose, children }: FormDialogProps): ReactNode {
  const t = useText();
  const titleId = useId();
  return (
    <Dialog open onClose={onClose} maxWidth="sm" fullWidth aria-labelledby={titleId}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          form.submit();
        }}
      >
        <DialogTitle id={titleId}>{title}</DialogTitle>
        <DialogContent>
          <Stack spacing={2.5} sx={{ pt: 1 }}>
            {children}
            {form.error !== undefined && <ErrorNotice error={form.error} />}
          </Stack>
        </DialogContent>
        <DialogActions sx={{ p: 2 }}>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button type="submit" variant="contained" loading={form.pending}>
            {action}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
