/** One short message at a time about what has just been done. */
import Alert from '@mui/material/Alert';
import Snackbar from '@mui/material/Snackbar';
import { createContext, useContext, useMemo, useState, type ReactNode } from 'react';

interface Toast {
  readonly text: string;
  readonly severity: 'success' | 'error' | 'info';
}

interface Notify {
  readonly done: (text: string) => void;
  readonly failed: (text: string) => void;
}

const shownMs = 5_000;
const NotifyContext = createContext<Notify | undefined>(undefined);

export function Toasts({ children }: { readonly children: ReactNode }): ReactNode {
  const [toast, setToast] = useState<Toast>();
  const [open, setOpen] = useState(false);
  const notify = useMemo<Notify>(() => {
    const show = (next: Toast): void => {
      setToast(next);
      setOpen(true);
    };
    return {
      done: (text) => show({ text, severity: 'success' }),
      failed: (text) => show({ text, severity: 'error' }),
    };
  }, []);
  return (
    <NotifyContext value={notify}>
      {children}
      <Snackbar
        open={open}
        autoHideDuration={shownMs}
        onClose={(_event, reason) => reason !== 'clickaway' && setOpen(false)}
        anchorOrigin={{ vertical: 'bottom', horizontal: 'center' }}
      >
        <Alert severity={toast?.severity ?? 'info'} variant="filled" onClose={() => setOpen(false)}>
          {toast?.text}
        </Alert>
      </Snackbar>
    </NotifyContext>
  );
}

export function useNotify(): Notify {
  const notify = useContext(NotifyContext);
  if (!notify) throw new Error('useNotify outside of Toasts');
  return notify;
}
