import { createContext, useContext } from 'react';
import { allows, type AccessAction, type AccessObject, type Session } from './session-query.ts';

export const SessionContext = createContext<Session | undefined>(undefined);

/** The session of the signed-in user; only below SessionGate. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession outside of SessionGate');
  return session;
}

/** Whether the signed-in user may do that; asks for what the API will ask for. */
export function useMay(object: AccessObject, action: AccessAction = '*'): boolean {
  return allows(useSession(), object, action);
}
