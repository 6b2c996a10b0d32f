/** What a first visit of a page costs, as the browser itself measures it: nothing in its cache. */
import type { Browser, BrowserContextOptions } from 'playwright-core';

export interface PageFigures {
  readonly firstPaintMs: number;
  readonly largestPaintMs: number;
  /** Until the rows, or the form, are there. */
  readonly readyMs: number;
  /** What tasks longer than 50 ms took beyond these, until the page was ready: time in which a click waits. */
  readonly blockedMs: number;
  /** Sum of all layout shifts; up to 0.1 is called good. */
  readonly shift: number;
  readonly requests: number;
  readonly transferredKiB: number;
}

/** Shifts of what comes in after a page is ready, such as the first event of a stream, count too. */
const settleMs = 3_000;

export async function pageFigures(
  browser: Browser,
  url: string,
  ready: string,
  options: BrowserContextOptions,
): Promise<PageFigures> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
  try {
    const page = await context.newPage();
    await page.addInitScript(`
      window.figures = { largest: 0, shift: 0, blocked: 0 };
      const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
      watch('largest-contentful-paint', ({ startTime }) => { figures.largest = startTime; });
      watch('layout-shift', ({ value, hadRecentInput }) => { if (!hadRecentInput) figures.shift += value; });
      watch('longtask', ({ duration }) => { figures.blocked += duration - 50; });`);
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator(ready).first().waitFor();
    const { readyMs, blockedMs } = await page.evaluate<{ readyMs: number; blockedMs: number }>(
      '({ readyMs: performance.now(), blockedMs: figures.blocked })',
    );
    await page.waitForTimeout(settleMs);
    const rest = await page.evaluate<Omit<PageFigures, 'readyMs' | 'blockedMs'>>(`({
      firstPaintMs: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
      largestPaintMs: figures.largest,
      shift: figures.shift,
      requests: performance.getEntriesByType('resource').length + 1,
      transferredKiB: [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
        .reduce((sum, { transferSize }) => sum + transferSize, 0) / 1024,
    })`);
    return { readyMs, blockedMs, ...rest };
  } finally {
    await context.close();
  }
}

export function figuresText({ firstPaintMs, largestPaintMs, readyMs, blockedMs, shift, ...sent }: PageFigures): string {
  const ms = (value: number): string => `${Math.round(value)} ms`;
  return [
    `first paint ${ms(firstPaintMs)}`,
    `largest ${ms(largestPaintMs)}`,
    `ready ${ms(readyMs)}`,
    `blocked ${ms(blockedMs)}`,
    `shift ${shift.toFixed(3)}`,
    `${sent.requests} requests`,
    `${Math.round(sent.transferredKiB)} KiB`,
  ].join(', ');
}
