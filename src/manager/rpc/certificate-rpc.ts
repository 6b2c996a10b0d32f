/** security.Certificate: certificates for members. */
import { RateLimiter } from '../../core/rate-limiter.ts';
import { DragonflyError } from '../../core/errors.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { CertificateDefinition } from '../../../gen/security/v1/security.ts';
import { certificateHeader, joinTokenHeader, parseJoinToken, signatureHeader } from '../../rpc/identity/proof.ts';
import type { Handlers } from '../../rpc/server/server.ts';
import type { CertificateIssuer, Proof } from '../ca/issuer.ts';
import { certificatesPerSec } from '../limits.ts';

export function certificateRpc(issuer: CertificateIssuer): Handlers<typeof CertificateDefinition> {
  const rate = new RateLimiter(certificatesPerSec, certificatesPerSec);
  return {
    issueCertificate: async ({ csr, validityPeriod }, context) => {
      if (!rate.tryAcquire(1)) throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many certificates are asked for');
      const { chain } = await issuer.issue({
        csr,
        wishedLifeMs: validityPeriod && validityPeriod.seconds * 1000,
        proof: proofOf(context),
        callerAddress: context.peerHost,
      });
      return { certificateChain: [...chain] };
    },
  };
}

function proofOf({ metadata }: CallContext): Proof | undefined {
  const [token] = metadata.get(joinTokenHeader);
  if (typeof token === 'string' && token !== '') return { kind: 'token', token: parseJoinToken(token).secret };
  const [der] = metadata.get(certificateHeader);
  const [signature] = metadata.get(signatureHeader);
  return Buffer.isBuffer(der) && Buffer.isBuffer(signature) ? { kind: 'certificate', der, signature } : undefined;
}
