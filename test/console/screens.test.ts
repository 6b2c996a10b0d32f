// needs: chromium
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchBrowser } from './browser.ts';
import { buildConsole } from '../../scripts/build-console.ts';
import { screens } from './screens.ts';
import { rootPassword, serveConsole } from './served-console.ts';

let browser: Browser;
before(async () => {
  await buildConsole();
  browser = await launchBrowser();
});
after(() => browser.close());

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe has nothing to say about any screen, ${colorScheme}`, async () => {
    await using served = await serveConsole(browser);
    await using visitor = await served.visit({ colorScheme, reducedMotion: 'reduce' });
    await visitor.go('/signin');
    await visitor.heading('Sign in');
    await visitor.checkAccessibility();
    await visitor.signIn('root', rootPassword);
    for (const screen of screens) {
      await visitor.go(screen);
      await visitor.page.getByRole('heading', { level: 1 }).waitFor();
      await visitor.page.getByRole('progressbar', { name: 'Loading' }).first().waitFor({ state: 'detached' });
      await visitor.checkAccessibility();
    }
  });
}

test('on a phone nothing is wider than the screen', async () => {
  await using served = await serveConsole(browser);
  await using visitor = await served.visit({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await visitor.go('/signin');
  await visitor.page.getByLabel('User name').fill('root');
  await visitor.page.getByLabel('Password').fill(rootPassword);
  await visitor.page.keyboard.press('Enter');
  await visitor.heading('Overview');
  for (const screen of screens) {
    await visitor.go(screen);
    await visitor.page.getByRole('heading', { level: 1 }).waitFor();
    const wider = await visitor.page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    assert.equal(wider, 0, screen);
  }
  await visitor.button('Open the menu').click();
  await visitor.page.getByRole('link', { name: 'Clusters', exact: true }).click();
  await visitor.heading('Clusters');
});
