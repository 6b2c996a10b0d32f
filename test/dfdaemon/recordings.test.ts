/** Downloads of a real daemon, written down and played to the machine again. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { printReplay } from '../../src/simulator/replay.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

test('the newest downloads can be replayed, and hold no secret', { timeout: 120_000 }, async () => {
  await using swarm = await LocalSwarm.create();
  await using origin = await HttpOrigin.start();
  await swarm.startScheduler();
  const holder = await swarm.startDaemon('holder');
  const reader = await swarm.startDaemon('reader', {
    adjust: (config) => ({ ...config, download: { ...config.download, recordings: 2 } }),
  });
  const directory = swarm.directory.join('reader', 'data', 'recordings');
  for (const name of ['first', 'second', 'third']) {
    const url = origin.add(`/${name}?token=hush-${name}`, { content: randomBytes(9 * 2 ** 20) });
    for (const daemon of [holder, reader])
      await swarm.download(daemon, { url, outputPath: swarm.directory.join(`${name}-${daemon.name}`) });
  }
  const texts = await waitFor('two whole recordings', () => {
    const files = readdirSync(directory).sort();
    const found = files.map((file) => readFileSync(join(directory, file), 'utf8'));
    return found.length === 2 && found.every((text) => text.includes('piece-landed') && text.endsWith('\n')) && found;
  });
  for (const text of texts) {
    assert.doesNotMatch(text, /hush|127\.0\.0\.1:/);
    const lines: string[] = [];
    assert.equal(
      printReplay(text, (line) => lines.push(line)),
      true,
      lines.join('\n'),
    );
    assert(
      lines.some((line) => /^ +\d+\.\d+ {2}piece \d landed, from /.test(line)),
      lines.join('\n'),
    );
    assert.match(lines.at(-1) ?? '', /^\d+ events; today the machine does the same$/);
  }
});
