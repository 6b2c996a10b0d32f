/**
 * Decides who gets a certificate, and for which names. A member joins with a join token and renews with its current
 * certificate; it is certified for the address from which it calls and for names that no other member has.
 */
import { X509Certificate } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { DragonflyError } from '../../core/errors.ts';
import { parseJson } from '../clusters/types.ts';
import type { Database } from '../db/database.ts';
import type { Authority, IssuedCertificate } from './authority.ts';
import {
  canonicalAddress,
  namesOf,
  parseCertificateRequest,
  signedByHolder,
  type CertificateNames,
} from './certificate-request.ts';
import type { Certificates } from './certificates.ts';
import type { JoinRole, JoinTokens } from './join-tokens.ts';

export interface IssuerParts {
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly joinTokens: JoinTokens;
  readonly database: Database;
  /** Configured names and addresses that any member may have besides its own. */
  readonly sharedNames: readonly string[];
  readonly maxLifeMs: number;
}

/** How the caller proves its identity. */
export type Proof =
  | { readonly kind: 'token'; readonly token: string }
  /** A certificate of this authority, and a signature over the request with its key. */
  | { readonly kind: 'certificate'; readonly der: Uint8Array; readonly signature: Uint8Array };

export interface IssueRequest {
  /** PKCS #10, DER. */
  readonly csr: Uint8Array;
  readonly wishedLifeMs: number | undefined;
  readonly proof: Proof | undefined;
  /** The caller's address. */
  readonly callerAddress: string;
}

export class CertificateIssuer {
  readonly #parts: IssuerParts;

  constructor(parts: IssuerParts) {
    this.#parts = parts;
  }

  /** Throws UNAUTHENTICATED without proof, INVALID_ARGUMENT for a bad request, PERMISSION_DENIED for others' names. */
  async issue({ csr, wishedLifeMs, proof, callerAddress }: IssueRequest): Promise<IssuedCertificate> {
    const { authority, certificates, maxLifeMs } = this.#parts;
    const proven = await this.#prove(proof, csr);
    const request = await parseCertificateRequest(csr);
    if (proven.kind === 'holder') requireSubset(request, proven.names);
    else {
      await this.#requireOwn(request, callerAddress);
      requireRole(request, proven.role);
    }
    const lifeMs = wishedLifeMs === undefined || wishedLifeMs <= 0 ? maxLifeMs : Math.min(wishedLifeMs, maxLifeMs);
    const issued = await authority.issue(request, lifeMs);
    await certificates.record(issued, request, proven.kind === 'holder' ? proven.serial : undefined);
    return issued;
  }

  async #prove(proof: Proof | undefined, csr: Uint8Array): Promise<Proven> {
    if (proof?.kind === 'token') return { kind: 'newcomer', role: await this.#parts.joinTokens.verify(proof.token) };
    const row =
      proof && signedByHolder(proof.der, csr, proof.signature)
        ? await this.#parts.certificates.valid(serialOf(proof.der))
        : undefined;
    if (row) return { kind: 'holder', serial: row.serial, names: new Set(parseJson<string[]>(row.names, [])) };
    throw new DragonflyError('UNAUTHENTICATED', 'a join token or a valid certificate is needed', {
      hint: 'Create a join token at the manager and configure it at this node.',
    });
  }

  async #requireOwn({ ipAddresses, dnsNames }: CertificateNames, callerAddress: string): Promise<void> {
    const own = new Set([canonicalAddress(callerAddress), '127.0.0.1', '::1', ...this.#parts.sharedNames]);
    for (const address of ipAddresses) {
      if (!own.has(address)) throw notYours(address, `the request came from ${canonicalAddress(callerAddress)}`);
    }
    for (const name of dnsNames) {
      if (name === 'localhost' || own.has(name)) continue;
      const others = await this.#addressesOf(name);
      if (others.length > 0 && !others.some((address) => own.has(canonicalAddress(address))))
        throw notYours(name, 'another member has registered it');
    }
  }

  async #addressesOf(hostname: string): Promise<string[]> {
    const { db } = this.#parts.database;
    const [schedulers, seeds, peers] = await Promise.all([
      db.selectFrom('scheduler').select('ip').where('host_name', '=', hostname).execute(),
      db.selectFrom('seed_peer').select('ip').where('host_name', '=', hostname).execute(),
      db.selectFrom('peer').select('ip').where('host_name', '=', hostname).execute(),
    ]);
    return [...schedulers, ...seeds, ...peers].map(({ ip }) => ip);
  }
}

/** What the proof establishes: the names in the held certificate, or the role of the join token. */
type Proven =
  | { readonly kind: 'holder'; readonly serial: string; readonly names: ReadonlySet<string> }
  | { readonly kind: 'newcomer'; readonly role: JoinRole };

/** A member has the role of its token, and an id made of its own name and address. Managers cannot join. */
function requireRole({ identity, ipAddresses, dnsNames }: CertificateNames, tokenRole: JoinRole): void {
  if (!identity) {
    if (tokenRole === 'any') return; // software without support for identities; such a member may act for nobody
    throw notYours('a member without identity', `the join token is for a ${tokenRole}`);
  }
  const { role, hostId } = identity;
  if (role === 'manager' || (tokenRole !== 'any' && tokenRole !== role))
    throw notYours(`a ${role}`, `the join token is for ${tokenRole === 'any' ? 'other members' : `a ${tokenRole}`}`);
  const text = role === 'seed' ? hostId.replace(/-seed$/, '') : hostId;
  const isOwn = dnsNames.some((name) => {
    if (!text.toLowerCase().endsWith(`-${name}`)) return false;
    const address = text.slice(0, -name.length - 1);
    return ipaddr.isValid(address) && ipAddresses.includes(canonicalAddress(address));
  });
  if (!isOwn || (role === 'seed') !== hostId.endsWith('-seed'))
    throw notYours(`the host id ${hostId}`, 'it is not made of the name and the address of the request');
}

function requireSubset(request: CertificateNames, held: ReadonlySet<string>): void {
  const extra = namesOf(request).find((name) => !held.has(name));
  if (extra !== undefined) throw notYours(extra, 'the certificate held does not have it');
}

function notYours(name: string, reason: string): DragonflyError {
  return new DragonflyError('PERMISSION_DENIED', `no certificate is issued for ${name}: ${reason}`, {
    hint: 'Names and addresses all members share can be listed in security.certSpec of the manager.',
  });
}

function serialOf(der: Uint8Array): string {
  return new X509Certificate(der).serialNumber.toLowerCase();
}
