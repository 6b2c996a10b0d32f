/** Lets the signed-in through, sends everybody else to the sign-in page and brings him back afterwards. */
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Loading } from '../components/loading.tsx';
import { sessionQuery } from './session-query.ts';
import { SessionContext } from './use-session.ts';

export function SessionGate({ children }: { readonly children: ReactNode }): ReactNode {
  const { data: session, error, refetch } = useQuery(sessionQuery);
  const { pathname, search } = useLocation();
  if (session === null) return <Navigate replace to={`/signin?next=${encodeURIComponent(pathname + search)}`} />;
  if (!session) return error ? <ErrorNotice error={error} retry={() => void refetch()} /> : <Loading />;
  if (session.user.must_change_password && pathname !== '/profile') return <Navigate replace to="/profile" />;
  return <SessionContext value={session}>{children}</SessionContext>;
}
