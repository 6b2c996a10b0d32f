/** The `security` section of a member of the cluster, the same for every service. */
import { z } from 'zod';
import { durationMs, ignored, section } from '../../core/config/config.ts';

export const memberSecurity = section({
  autoIssueCert: z
    .boolean()
    .default(false)
    .describe('have the manager issue the certificate of this node, and renew it'),
  joinToken: z
    .string()
    .optional()
    .describe('token of the manager for the first certificate; DRAGONFLY_JOIN_TOKEN in the environment'),
  caCert: z
    .string()
    .default('')
    .describe("the manager's authority, PEM or the path of a PEM file; a whole join token makes it unnecessary"),
  /** Certificates are verified whenever there are any. */
  tlsVerify: ignored,
  tlsPolicy: z
    .enum(['default', 'prefer', 'force'])
    .default('default')
    .describe('default: takes TLS, uses plain text; prefer: takes both, uses TLS; force: TLS only'),
  certSpec: section({
    dnsNames: z.array(z.string()).default([]).describe('further names of this node'),
    ipAddresses: z.array(z.string()).default([]).describe('further addresses of this node'),
    validityPeriod: durationMs('24h').describe('wished life of a certificate; the manager may shorten it'),
  }),
});

export type MemberSecurity = z.output<typeof memberSecurity>;

/** The join token in the environment takes precedence over the one in the file, which others can read more easily. */
export function withJoinToken<T extends { readonly security: MemberSecurity }>(
  config: T,
  env: Readonly<Record<string, string | undefined>>,
): T {
  const joinToken = env['DRAGONFLY_JOIN_TOKEN'];
  return joinToken === undefined ? config : { ...config, security: { ...config.security, joinToken } };
}
