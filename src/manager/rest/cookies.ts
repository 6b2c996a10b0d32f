/** Session cookies. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IssuedSession } from '../access/sessions.ts';

/** The session itself, inaccessible to scripts. */
export const sessionCookie = 'dragonfly_session';

/**
 * The original's console reads the user's id from this cookie with a script. It contains the token's claims without the
 * signature: enough to identify the user, useless as a credential.
 */
export const legacyCookie = 'jwt';

export type SecureCookie = 'auto' | 'always';

export function setSession(
  request: FastifyRequest,
  reply: FastifyReply,
  session: IssuedSession,
  secure: SecureCookie,
): void {
  const common = {
    path: '/',
    sameSite: 'lax' as const,
    secure: secure === 'always' || request.protocol === 'https',
    expires: session.expiresAt,
  };
  const claims = session.token.slice(0, session.token.lastIndexOf('.') + 1);
  void reply.setCookie(sessionCookie, session.token, { ...common, httpOnly: true });
  void reply.setCookie(legacyCookie, claims, common);
}

export function clearSession(reply: FastifyReply): void {
  void reply.clearCookie(sessionCookie, { path: '/' });
  void reply.clearCookie(legacyCookie, { path: '/' });
}
