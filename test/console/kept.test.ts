/** Imported content in the console: where it is, and what its store does not have yet. */
// needs: chromium
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { UploadPersistentTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { buildConsole } from '../../scripts/build-console.ts';
import { startSwarm } from '../manager/support/registered-swarm.ts';
import { launchBrowser } from './browser.ts';
import { rootPassword, serveConsole } from './served-console.ts';

let browser: Browser;
before(async () => {
  await buildConsole();
  browser = await launchBrowser();
});
after(() => browser.close());

test('what waits for its store says so, is found by its URL, and can be deleted', { timeout: 120_000 }, async () => {
  await using served = await serveConsole(browser);
  await using swarm = await startSwarm(served.manager, ['a']);
  await swarm.join(served.manager);
  const [daemon] = swarm.swarm.daemons;
  const path = swarm.swarm.directory.join('file');
  await writeFile(path, 'on its way');
  for (const write of ['back', 'replicas'])
    await swarm.swarm.client(daemon as NonNullable<typeof daemon>).uploadPersistentTask(
      UploadPersistentTaskRequest.fromPartial({
        path,
        url: `s3://bucket/${write}.bin`,
        objectStorage: { region: 'r', endpoint: 'http://127.0.0.1:9' },
        persistentReplicaCount: 1,
        ttl: { seconds: 3600, nanos: 0 },
        write,
      }),
      { timeoutMs: 30_000 },
    );
  await using visitor = await served.visit();
  await visitor.signIn('root', rootPassword);
  await visitor.go('/kept');
  const { page } = visitor;
  await page.getByRole('row', { name: /s3:\/\/bucket\/back\.bin.*Succeeded.*1 of 1.*Upload pending/ }).waitFor();
  await page.getByRole('row', { name: /s3:\/\/bucket\/replicas\.bin.*Replicas only/ }).waitFor();
  await visitor.checkAccessibility();
  await page.getByLabel('Search').fill('back.bin');
  await page.getByRole('row', { name: /replicas\.bin/ }).waitFor({ state: 'detached' });
  await visitor.button(/^Delete /).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('row', { name: /back\.bin/ }).waitFor({ state: 'detached' });
});
