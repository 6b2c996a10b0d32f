/** What the REST routes add to fastify's requests and routes. */
import type {
  FastifyInstance,
  FastifyRequest,
  RawServerBase,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { DragonflyError } from '../../core/errors.ts';
import type { Caller } from '../access/caller.ts';
import type { AccessObject } from '../access/objects.ts';
import type { TokenScope } from '../access/tokens.ts';

/** Access rule of a route. Every route declares one; a route without one cannot be registered. */
export type RouteAccess =
  | { readonly kind: 'public' }
  /** Any caller with the secret of what the path names, in Authorization: Bearer. `verify` throws UNAUTHENTICATED. */
  | { readonly kind: 'secret'; readonly verify: (request: FastifyRequest) => Promise<unknown> }
  /** Any signed-in user, concerning himself. */
  | { readonly kind: 'signed-in' }
  /** A signed-in user whose roles allow the method's action on the object; or, where allowed, the user concerning himself. */
  | { readonly kind: 'session'; readonly object: AccessObject; readonly self?: boolean }
  /** A personal access token with the scope, whose owner's roles allow it. */
  | { readonly kind: 'token'; readonly scope: TokenScope; readonly object: AccessObject };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

export type RestApp = FastifyInstance<
  RawServerBase,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** The caller of a route that is not public. */
export function callerOf(request: { readonly caller: Caller | null }): Caller {
  if (request.caller) return request.caller;
  throw new DragonflyError('UNAUTHENTICATED', 'Unauthorized');
}

/** Answers 200 without a body, as the original does. */
export function sendNothing<R>(reply: R): R {
  return (reply as { send(): R }).send();
}
