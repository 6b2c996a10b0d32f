/** Produces the OpenAPI document without starting a server, for the console's client and for export to a file. */
import { silentLogger } from '../../core/process/logger.ts';
import { Registry } from '../../core/metrics.ts';
import { managerConfigSchema } from '../config.ts';
import { ManagerService } from '../manager-service.ts';

/** The document of a manager with all optional routes. */
export async function describeApi(): Promise<object> {
  const config = managerConfigSchema.parse({ database: { sqlite: { path: ':memory:' } }, auth: { signUp: true } });
  await using manager = await ManagerService.create(config, {
    logger: silentLogger,
    registry: new Registry(),
    announceRootPassword: () => undefined,
  });
  await manager.rest.ready();
  return manager.rest.swagger();
}
