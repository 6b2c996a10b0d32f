/** A manager on free ports of the loopback. */
import { silentLogger } from '../../../src/core/process/logger.ts';
import { Registry } from '../../../src/core/metrics.ts';
import { managerConfigSchema, type DatabaseConfig, type ManagerConfig } from '../../../src/manager/config.ts';
import { ManagerService, type ManagerOverrides } from '../../../src/manager/manager-service.ts';
import { RestClient } from './rest-client.ts';

type ConfigInput = Record<string, unknown>;

export const rootPassword = 'correct horse';

export const operator = { encryptionKey: Buffer.alloc(32, 7).toString('base64'), rootPassword };

export function testConfig(database: DatabaseConfig, input: ConfigInput = {}): ManagerConfig {
  const { server = {}, security = {}, ...rest } = input as { server?: ConfigInput; security?: ConfigInput };
  const { rest: restInput = {}, ...otherServer } = server as { rest?: ConfigInput };
  return managerConfigSchema.parse({
    ...rest,
    // Members in tests have the addresses of many machines.
    security: { registerFromAnyAddress: true, ...security },
    database,
    server: {
      grpc: { listenIP: '127.0.0.1', port: { start: 0 } },
      rest: { addr: '127.0.0.1:0', requestRateLimit: 100_000, ...restInput },
      ...otherServer,
    },
  });
}

export async function startManager(
  database: DatabaseConfig,
  input: ConfigInput = {},
  overrides: ManagerOverrides = {},
): Promise<ManagerService> {
  const manager = await ManagerService.create(testConfig(database, input), {
    logger: silentLogger,
    registry: new Registry(),
    operator,
    ...overrides,
  });
  await manager.start();
  return manager;
}

export function rootOf(manager: ManagerService): Promise<RestClient> {
  return new RestClient(manager.restPort).signIn('root', rootPassword);
}
