/** Reporter of node:test for scripts/verify.ts: writes the counts of a file as one JSON line to descriptor 3. */
import { writeSync } from 'node:fs';
import type { TestEvent } from 'node:test/reporters';

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

// oxlint-disable-next-line import/no-default-export -- node:test takes a reporter as the default export of its module.
export default async function* countReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const isGroup = event.data.details.type === 'suite';
    if (event.type === 'test:fail') {
      // A group or parent fails with its children, which are counted themselves; its own hooks may fail too.
      const { failureType } = event.data.details.error as Error & { failureType?: string };
      if (failureType !== 'subtestsFailed') failed += 1;
      // One that is skipped whole tells of no test in it.
    } else if (event.data.skip !== undefined) skipped += 1;
    else if (!isGroup) passed += 1;
  }
  writeSync(3, `${JSON.stringify({ passed, failed, skipped })}\n`);
  yield '';
}
