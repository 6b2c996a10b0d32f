import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AnswerPace } from './answer-pace.ts';
import { silence } from './life.ts';

const times = { quietMs: 1, mostQuietMs: 10, answerMs: 40, questions: 2 };

/** What is found out in half a second about a server that answers after this time. */
async function verdictOn(answerAfterMs: number, pace: AnswerPace): Promise<string> {
  const ended = new AbortController();
  const ask = (signal: AbortSignal): Promise<void> => delay(answerAfterMs, undefined, { signal });
  const silent = silence(ask, { ...times, server: 'far', pace }, ended.signal).catch((error: unknown) => error);
  const verdict = await Promise.race([silent.then(() => 'dead'), delay(500).then(() => 'alive')]);
  ended.abort();
  await silent;
  return verdict;
}

test('a server that is far away is not dead because another one is near', async () => {
  const pace = new AnswerPace(() => 0);
  pace.answered('far', 90);
  pace.answered('near', 1);
  assert.equal(await verdictOn(90, pace), 'alive');
  assert.equal(await verdictOn(10_000, pace), 'dead');
});

test('an answer to the first question that comes while the second is asked is one', async () => {
  assert.equal(await verdictOn(60, new AnswerPace(() => 0)), 'alive');
  assert.equal(await verdictOn(10_000, new AnswerPace(() => 0)), 'dead');
});
