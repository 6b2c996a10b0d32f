/** Who is signed in, and what he may do. */
import { queryOptions } from '@tanstack/react-query';
import { api, dataOf, type Schemas } from '../api/client.ts';
import { ApiError } from '../api/errors.ts';

export type Session = Schemas['SessionInfo'];
export type AccessObject = Schemas['Permission']['object'];
export type AccessAction = Schemas['Permission']['action'];

export const sessionKey = ['session'] as const;

/** null: nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: sessionKey,
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await dataOf(api.GET('/api/v1/session', { signal }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export const serviceQuery = queryOptions({
  queryKey: ['console'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/console', { signal })),
  staleTime: Infinity,
});

export function allows({ permissions }: Session, object: AccessObject, action: AccessAction): boolean {
  return permissions.some((one) => one.object === object && (one.action === action || one.action === '*'));
}
