/** Reads and writes messages that a manager and a scheduler of the original have put into Redis. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { preheatDownload, preheatRequest, taskRequest } from './job-requests.ts';
import { jobState, parseQueuedJob, type QueuedJob } from './machinery.ts';

interface RecordedJob {
  readonly list: string;
  readonly message: string;
  readonly states: readonly string[];
}

const { jobs } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/original-jobs.json', import.meta.url), 'utf8'),
) as { readonly jobs: readonly RecordedJob[] };

function recorded(name: string): RecordedJob & { readonly job: QueuedJob } {
  for (const one of jobs) {
    const job = parseQueuedJob(one.message);
    if (job?.name === name) return { ...one, job };
  }
  throw new Error(`no ${name} was recorded`);
}

void describe('recorded jobs of the original', () => {
  void it('tell their requests', () => {
    const preheat = preheatRequest.parse(recorded('preheat').job.request);
    assert.equal(preheat.scope, 'single_seed_peer');
    assert.match(preheat.urls[0] ?? '', /\/recorded\.bin$/);
    assert.deepEqual([preheat.timeout, preheat.concurrent_task_count], [3_600_000, 8]);
    const download = preheatDownload(preheat, false);
    assert.ok(download.filteredQueryParams.includes('X-Amz-Signature'));
    assert.equal(download.pieceLength, undefined);
    for (const name of ['get_task', 'delete_task']) {
      const { task_id: id, timeout } = taskRequest.parse(recorded(name).job.request);
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.equal(timeout, 3_600_000);
    }
  });

  void it('get the states that the original has written, byte for byte', () => {
    for (const { message, states } of jobs) {
      const job = parseQueuedJob(message);
      assert.ok(job);
      const [pending, ...later] = states;
      const started = later.find((text) => text.includes('"STARTED"'));
      assert.equal(jobState(job, { state: 'STARTED' }, pending), started);
      const end = JSON.parse(later.at(-1) ?? '') as {
        State: string;
        Error: string;
        Results: { Value: string }[] | null;
      };
      const progress =
        end.State === 'FAILURE'
          ? ({ state: 'FAILURE', error: end.Error } as const)
          : ({ state: 'SUCCESS', result: JSON.parse(end.Results?.[0]?.Value ?? 'null') as unknown } as const);
      assert.equal(jobState(job, progress, started), later.at(-1));
    }
  });

  void it('are none when they are no JSON, or have no id', () => {
    for (const text of ['', 'null', '[]', '{"UUID":"","Name":"preheat"}', '{"Name":"preheat"}', '\u0000'])
      assert.equal(parseQueuedJob(text), undefined);
  });
});
