/** Applies changes of the configuration file at run time: rules of the proxy, and schedulers where no manager provides them. */
import { isDeepStrictEqual } from 'node:util';
import { toDragonflyError } from '../core/errors.ts';
import type { Closable } from '../core/process/lifecycle.ts';
import type { Logger } from '../core/process/logger.ts';
import { WatchedFile } from '../core/files/watched-file.ts';
import type { DfdaemonConfig } from './config.ts';

export interface ConfigReloadOptions {
  readonly path: string;
  readonly running: DfdaemonConfig;
  readonly load: () => Promise<{ readonly config: DfdaemonConfig; readonly warnings: readonly string[] }>;
  readonly apply: (config: DfdaemonConfig) => Promise<void>;
  readonly logger: Logger;
}

/** An invalid file is logged and changes nothing. A changed key that needs a restart is logged, too. */
export function reloadOnChange({ path, running, load, apply, logger }: ConfigReloadOptions): Closable | undefined {
  let last = running;
  const reload = async (): Promise<void> => {
    try {
      const { config, warnings } = await load();
      if (isDeepStrictEqual(config, last)) return;
      last = config;
      for (const warning of warnings) logger.warn(warning);
      await apply(config);
      logger.info({ path }, 'took the rules of the proxy and the schedulers from the changed configuration');
      const sections = sectionsThatDiffer(running, config);
      if (sections.length > 0) logger.warn({ path, sections }, 'these sections have changed too; restart to use them');
    } catch (error) {
      logger.error({ path, error: toDragonflyError(error).message }, 'the changed configuration is not used');
    }
  };
  try {
    return new WatchedFile(path, reload);
  } catch (error) {
    logger.debug({ path, error: (error as Error).message }, 'changes of the configuration are not noticed');
    return undefined;
  }
}

/** Top-level sections whose changes were ignored. */
function sectionsThatDiffer(before: DfdaemonConfig, after: DfdaemonConfig): string[] {
  const [old, fresh] = [untaken(before), untaken(after)];
  return Object.keys(fresh).filter((name) => !isDeepStrictEqual(old[name], fresh[name]));
}

function untaken(config: DfdaemonConfig): Record<string, unknown> {
  const { proxy, scheduler } = config;
  return {
    ...config,
    proxy: { ...proxy, proxies: [], rules: [] },
    scheduler: { ...scheduler, netAddrs: [] },
  };
}
