/** TLS for connections to a database server. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { DatabaseConfig } from '../config.ts';

type Mysql = NonNullable<DatabaseConfig['mysql']>;
type Postgres = NonNullable<DatabaseConfig['postgres']>;

type TlsOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'checkServerIdentity'>;

export async function mysqlTls(
  server: Mysql,
): Promise<{ ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean } | undefined> {
  if (server.tls) {
    const ca = server.tls.caCert ?? server.tls.ca;
    return {
      ...(ca === undefined ? {} : { ca: await readFile(ca) }),
      ...(server.tls.cert === undefined ? {} : { cert: await readFile(server.tls.cert) }),
      ...(server.tls.key === undefined ? {} : { key: await readFile(server.tls.key) }),
      rejectUnauthorized: !server.tls.insecureSkipVerify,
    };
  }
  switch (server.tlsConfig) {
    case 'true':
      return { rejectUnauthorized: true };
    case 'skip-verify':
      return { rejectUnauthorized: false };
    default:
      return undefined;
  }
}

/** libpq's modes: `require` encrypts without verification, `verify-ca` verifies the issuer, `verify-full` also the name. */
export async function postgresTls(server: Postgres): Promise<TlsOptions | false> {
  const ca = server.caCert === undefined ? {} : { ca: await readFile(server.caCert) };
  switch (server.sslMode) {
    case 'disable':
    case 'allow':
    case 'prefer':
      return false;
    case 'require':
      return { ...ca, rejectUnauthorized: server.caCert !== undefined };
    case 'verify-ca':
      return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case 'verify-full':
      return { ...ca, rejectUnauthorized: true };
  }
}
