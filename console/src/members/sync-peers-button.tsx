/** Schedulers report their peers now and then; this asks them at once. */
import SyncIcon from '@mui/icons-material/Sync';
import Button from '@mui/material/Button';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { errorText } from '../components/error-notice.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { useMay } from '../session/use-session.ts';

export function SyncPeersButton(): ReactNode {
  const t = useText();
  const notify = useNotify();
  const client = useQueryClient();
  const may = useMay('jobs');
  const sync = useMutation({
    mutationFn: () => dataOf(api.POST('/api/v1/jobs', { body: { type: 'sync_peers' } })),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['peers'] });
      notify.done(t('peers.synced'));
    },
    onError: (error) => notify.failed(errorText(error, t)),
  });
  if (!may) return null;
  return (
    <Button variant="outlined" startIcon={<SyncIcon />} loading={sync.isPending} onClick={() => sync.mutate()}>
      {t('peers.sync')}
    </Button>
  );
}
