/**
 * `health`: asks a gRPC server whether it serves. Flags, outcomes and exit codes are those of `grpc_health_probe`, and
 * it also runs under that name, so that probes written for it work in an image that contains only this executable.
 */
import { readFile } from 'node:fs/promises';
import { Client, Metadata, credentials, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { Command as Parser, CommanderError } from 'commander';
import type { Command } from '../../core/process/command.ts';
import { parseDurationMs } from '../../core/units.ts';
import { version } from '../../core/version.ts';
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../../gen/grpc/health/v1/health.ts';

interface Flags {
  readonly addr: string;
  readonly service: string;
  readonly connectTimeout: string;
  readonly rpcTimeout: string;
  readonly userAgent?: string;
  readonly tls?: boolean;
  readonly tlsCaCert?: string;
  readonly tlsClientCert?: string;
  readonly tlsClientKey?: string;
  readonly tlsServerName?: string;
  readonly tlsNoVerify?: boolean;
}

const exitCodes = { serving: 0, invalidArguments: 1, connectionFailed: 2, callFailed: 3, notServing: 4 } as const;
const checkMethod = '/grpc.health.v1.Health/Check';

const healthParser = (): Parser =>
  new Parser('health')
    .description('Asks a gRPC server whether it serves, as grpc_health_probe does.')
    .version(`health ${version}`, '-V, --version')
    .requiredOption('--addr <address>', 'host:port, :port of this machine, or unix:/path')
    .option('--service <name>', 'service to ask for; the server as a whole by default', '')
    .option('--connect-timeout <duration>', 'most time for the connection', '1s')
    .option('--rpc-timeout <duration>', 'most time for the answer', '1s')
    .option('--user-agent <name>', 'what the server is told')
    .option('--tls', 'connect with TLS')
    .option('--tls-ca-cert <file>', 'authorities to trust, PEM; by default those of the system')
    .option('--tls-client-cert <file>', 'certificate to show, PEM')
    .option('--tls-client-key <file>', 'its key, PEM')
    .option('--tls-server-name <name>', 'name that the certificate of the server must have')
    .option('--tls-no-verify', 'take any certificate')
    .option('-v', 'taken without effect')
    .exitOverride();

export const runHealth: Command = async (argv, io) => {
  const parser = healthParser().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(text),
  });
  let flags: Flags;
  let limits: { readonly connectMs: number; readonly callMs: number };
  let client: Client;
  try {
    // Flags of Go programs may begin with one dash.
    flags = parser
      .parse(
        argv.map((word) => word.replace(/^-(?=[a-z-]{2})(?!-)/, '--')),
        { from: 'user' },
      )
      .opts<Flags>();
    limits = { connectMs: parseDurationMs(flags.connectTimeout), callMs: parseDurationMs(flags.rpcTimeout) };
    client = await openClient(flags);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.serving;
    if (!(error instanceof CommanderError)) io.stderr.write(`error: ${(error as Error).message}\n`);
    return exitCodes.invalidArguments;
  }
  try {
    if (!(await connected(client, limits.connectMs))) {
      io.stderr.write(`timeout: failed to connect service "${flags.addr}" within ${flags.connectTimeout}\n`);
      return exitCodes.connectionFailed;
    }
    const status = await check(client, flags.service, limits.callMs);
    const name = Object.keys(ServingStatus).find((key) => ServingStatus[key as keyof typeof ServingStatus] === status);
    if (status !== ServingStatus.SERVING) {
      io.stderr.write(`service unhealthy (responded with "${name}")\n`);
      return exitCodes.notServing;
    }
    io.stdout.write(`status: ${name}\n`);
    return exitCodes.serving;
  } catch (error) {
    io.stderr.write(`error: health rpc failed: ${(error as Error).message}\n`);
    return exitCodes.callFailed;
  } finally {
    client.close();
  }
};

async function openClient(flags: Flags): Promise<Client> {
  const address = flags.addr.replace(/^:/, '127.0.0.1:').replace(/^unix:\/\/(?=\/)/, 'unix:');
  return new Client(address, await channelCredentials(flags), {
    'grpc.enable_http_proxy': 0,
    'grpc.initial_reconnect_backoff_ms': 100,
    ...(flags.userAgent !== undefined && { 'grpc.primary_user_agent': flags.userAgent }),
    ...(flags.tlsServerName !== undefined && { 'grpc.ssl_target_name_override': flags.tlsServerName }),
  });
}

async function channelCredentials(flags: Flags): Promise<ChannelCredentials> {
  if (flags.tls !== true) return credentials.createInsecure();
  const pem = (path: string | undefined): Promise<Buffer | null> =>
    path === undefined ? Promise.resolve(null) : readFile(path);
  const [authorities, key, certificate] = await Promise.all(
    [flags.tlsCaCert, flags.tlsClientKey, flags.tlsClientCert].map(pem),
  );
  const anyName = { checkServerIdentity: () => undefined, rejectUnauthorized: false };
  return credentials.createSsl(authorities, key, certificate, flags.tlsNoVerify === true ? anyName : {});
}

function connected(client: Client, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    client.waitForReady(Date.now() + timeoutMs, (error) => resolve(error === undefined || error === null));
  });
}

/** Throws a ServiceError. */
function check(client: Client, service: string, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      checkMethod,
      (request: HealthCheckRequest) => Buffer.from(HealthCheckRequest.encode(request).finish()),
      (bytes: Buffer) => HealthCheckResponse.decode(bytes),
      { service },
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error: ServiceError | null, response?: HealthCheckResponse) => {
        if (error) reject(error);
        else resolve(response?.status ?? ServingStatus.UNKNOWN);
      },
    );
  });
}
