import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { errorText } from '../components/error-notice.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { sessionKey } from './session-query.ts';

/** Ends the session here and on the manager; nothing that was seen stays in memory. */
export function useSignOut(): () => void {
  const client = useQueryClient();
  const navigate = useNavigate();
  const notify = useNotify();
  const t = useText();
  return () => {
    dataOf(api.POST('/api/v1/users/signout')).then(
      async () => {
        await navigate('/signin');
        client.clear();
        client.setQueryData(sessionKey, null);
      },
      (error: unknown) => notify.failed(errorText(error, t)),
    );
  };
}
