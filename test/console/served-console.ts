/** A manager with the built console, and visitors of it. */
import type { Browser, BrowserContextOptions } from 'playwright-core';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { databaseConfig } from '../manager/support/engines.ts';
import { startManager } from '../manager/support/manager-fixture.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { Visitor } from './browser.ts';

export const rootPassword = 'correct-horse';

export interface ServedConsole extends AsyncDisposable {
  readonly manager: ManagerService;
  /** Signed in as root. */
  readonly rest: RestClient;
  readonly base: string;
  visit(options?: BrowserContextOptions): Promise<Visitor>;
}

export async function serveConsole(browser: Browser, prefix = ''): Promise<ServedConsole> {
  const manager = await startManager(
    databaseConfig({ sqlite: { path: ':memory:' } }),
    { server: { rest: { addr: '127.0.0.1:0', prefix } } },
    { operator: { rootPassword } },
  );
  const base = `http://127.0.0.1:${manager.restPort}${prefix}/`;
  return {
    manager,
    rest: await new RestClient(manager.restPort).signIn('root', rootPassword),
    base,
    visit: (options) => Visitor.open(browser, base, options),
    [Symbol.asyncDispose]: () => manager[Symbol.asyncDispose](),
  };
}
