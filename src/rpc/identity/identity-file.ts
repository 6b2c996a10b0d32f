/** The certificate and key of this node on disk, in one file, so that both change at the same instant. */
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeWholeFile } from '../../core/files/whole-file.ts';
import type { ClientTls } from '../tls.ts';

export interface Identity {
  readonly certificate: X509Certificate;
  /** PKCS #8, PEM. */
  readonly key: string;
  /** PEM of one or several authorities. */
  readonly authorities: string;
}

/** Path of a service's identity below its directory. */
export function identityPath(directory: string): string {
  return join(directory, 'identity', 'node.pem');
}

/** What a tool of this node presents and trusts. */
export function clientMaterial({ certificate, key, authorities }: Identity): ClientTls {
  return { ca: Buffer.from(authorities), cert: Buffer.from(certificate.toString()), key: Buffer.from(key) };
}

/** Undefined when it is missing or malformed. */
export async function loadIdentity(path: string): Promise<Identity | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    const key = /-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----\n?/s.exec(text)?.[0];
    const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?/g) ?? [];
    const [own, ...authorities] = certificates;
    if (key === undefined || own === undefined || authorities.length === 0) return undefined;
    return { certificate: new X509Certificate(own), key, authorities: authorities.join('') };
  } catch {
    return undefined; // absent or unreadable: a new one is requested
  }
}

/** Readable by this user alone; after a crash the previous one remains. */
export async function saveIdentity(path: string, { certificate, key, authorities }: Identity): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeWholeFile(path, `${key}${certificate.toString()}${authorities}`, { mode: 0o600 });
}
