/** A real Chromium, and a visitor of the console in it who notices everything that goes wrong. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Two busy cores make a page slow; only what never comes takes that long. */
const patienceMs = 60_000;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
}

export interface VisitorOptions extends BrowserContextOptions {
  /** The manager will be away for a while: the browser says of each request that it failed. */
  readonly expectOutage?: boolean;
}

export class Visitor implements AsyncDisposable {
  readonly page: Page;
  readonly #base: string;
  readonly #problems: string[] = [];

  private constructor(page: Page, base: string, expectOutage: boolean) {
    this.page = page;
    this.#base = base;
    page.on('pageerror', (error) => this.#problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const text = message.text();
      // What the API refuses is not a fault of the page, nor is that nobody answers.
      if (/status of 4\d\d/.test(text) || (expectOutage && /net::ERR_/.test(text))) return;
      this.#problems.push(text);
    });
  }

  /** @param base where the console is, with a slash at its end. */
  static async open(browser: Browser, base: string, options: VisitorOptions = {}): Promise<Visitor> {
    const { expectOutage = false, ...wishes } = options;
    const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, locale: 'en', ...wishes });
    context.setDefaultTimeout(patienceMs);
    return new Visitor(await context.newPage(), base, expectOutage);
  }

  async go(path: string): Promise<void> {
    await this.page.goto(new URL(path.replace(/^\//, ''), this.#base).href);
  }

  async signIn(name: string, password: string): Promise<void> {
    await this.go('/signin');
    await this.page.getByLabel('User name').fill(name);
    await this.page.getByLabel('Password').fill(password);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.page.getByRole('navigation', { name: 'Places' }).waitFor();
  }

  /** The first one: an empty list offers what the head of its page offers. */
  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name }).first();
  }

  /** The button in the dialog that is open. */
  confirm(name: string): Promise<void> {
    return this.page.getByRole('dialog').getByRole('button', { name }).click();
  }

  sees(text: string | RegExp): Promise<void> {
    return this.page.getByText(text).first().waitFor();
  }

  heading(name: string | RegExp): Promise<void> {
    return this.page.getByRole('heading', { level: 1, name }).waitFor();
  }

  /** Fails with every rule of axe that the page as it is breaks. */
  async checkAccessibility(): Promise<void> {
    // A tooltip that is fading has the contrast of neither of its ends.
    await this.page.mouse.move(0, 0);
    await this.page.getByRole('tooltip').first().waitFor({ state: 'detached' });
    await this.page.evaluate(await axeSource());
    const broken = await this.page.evaluate<string[]>(
      `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
        violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary).join(' | ')))`,
    );
    assert.deepEqual(broken, [], this.page.url());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
    assert.deepEqual(this.#problems, []);
  }
}

async function axeSource(): Promise<string> {
  return readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
}
