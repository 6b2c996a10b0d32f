/** Authentication and authorisation, before any part of the request body is read. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DragonflyError } from '../../core/errors.ts';
import type { Access } from '../access/access.ts';
import type { Caller } from '../access/caller.ts';
import { actionOf, type AccessObject } from '../access/objects.ts';
import { sessionCookie, legacyCookie } from './cookies.ts';
import type { RouteAccess } from './request.ts';

export interface AccessHookOptions {
  readonly access: Access;
  /** Additional origins whose pages may act for their user. */
  readonly allowedOrigins: ReadonlySet<string>;
}

export function accessHook({ access, allowedOrigins }: AccessHookOptions) {
  return async (request: FastifyRequest, _reply: FastifyReply): Promise<void> => {
    const rule = request.routeOptions.config.access;
    if (!rule || rule.kind === 'public') return;
    if (rule.kind === 'secret') return void (await rule.verify(request));
    const caller = await identify(access, rule, request, allowedOrigins);
    request.caller = caller;
    if (caller.mustChangePassword && rule.kind !== 'signed-in') {
      throw new DragonflyError('PERMISSION_DENIED', 'the first password must be changed before anything else', {
        hint: `POST /api/v1/users/${caller.userId}/reset_password`,
      });
    }
    if (rule.kind === 'signed-in') return;
    if (rule.kind === 'session' && rule.self === true && isSelf(request, caller)) return;
    await requirePermission(access, caller, rule.object, request.method);
  };
}

export async function requirePermission(
  access: Access,
  caller: Caller,
  object: AccessObject,
  method: string,
): Promise<void> {
  if (await access.authorizer.allows(caller.userId, object, actionOf(method))) return;
  throw new DragonflyError('PERMISSION_DENIED', 'permission deny', {
    hint: 'Ask an administrator for a role that allows this.',
  });
}

async function identify(
  access: Access,
  rule: RouteAccess,
  request: FastifyRequest,
  allowedOrigins: ReadonlySet<string>,
): Promise<Caller> {
  if (rule.kind === 'token') return access.tokens.verify(tokenOf(request), rule.scope);
  const { token, ambient } = credential(request);
  // Browsers send cookies on their own, so the request must not come from another site's page.
  if (ambient && actionOf(request.method) !== 'read') refuseForeignOrigin(request, allowedOrigins);
  const caller = token === undefined ? undefined : await access.sessions.verify(token);
  if (caller) return caller;
  throw new DragonflyError('UNAUTHENTICATED', 'Unauthorized');
}

/** Throws UNAUTHENTICATED without one. */
export function tokenOf(request: FastifyRequest): string {
  const { access_token: fromQuery } = request.query as { access_token?: unknown };
  const token = typeof fromQuery === 'string' && fromQuery !== '' ? fromQuery : bearer(request);
  if (token !== undefined) return token;
  throw new DragonflyError('UNAUTHENTICATED', 'Unauthorized', {
    hint: 'Send a personal access token as Authorization: Bearer.',
  });
}

/** The session token; `ambient` when the browser added it on its own. */
export function credential(request: FastifyRequest): { token: string | undefined; ambient: boolean } {
  const explicit = bearer(request);
  if (explicit !== undefined) return { token: explicit, ambient: false };
  return { token: request.cookies[sessionCookie] ?? request.cookies[legacyCookie], ambient: true };
}

/** The secret in the Authorization header. */
export function bearer(request: FastifyRequest): string | undefined {
  return /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

export function refuseForeignOrigin(request: FastifyRequest, allowedOrigins: ReadonlySet<string>): void {
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin === undefined && (site === undefined || site === 'same-origin' || site === 'none')) return;
  if (origin !== undefined && (isOwnOrigin(origin, request) || allowedOrigins.has(origin))) return;
  throw new DragonflyError('PERMISSION_DENIED', 'the request comes from a page of another site');
}

function isOwnOrigin(origin: string, request: FastifyRequest): boolean {
  return URL.canParse(origin) && new URL(origin).host === request.host;
}

function isSelf(request: FastifyRequest, caller: Caller): boolean {
  return (request.params as { id?: unknown }).id === String(caller.userId);
}
