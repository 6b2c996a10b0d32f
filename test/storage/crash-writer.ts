/**
 * Writes into a store until it is killed, and says what has been acknowledged: one line per event, written straight to
 * the descriptor, so that a line that was read was true before the process died.
 *
 *   node test/storage/crash-writer.ts DIRECTORY SEED
 *
 * Lines: `piece NAME NUMBER`, `finish NAME`, `removing NAME`, `restarting NAME`. The content of a task is a function
 * of its name; pieces are small so that many commits happen in a short life.
 */
import { writeSync } from 'node:fs';
import { pieceSpan } from '../../src/core/piece-layout.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { crashContent, crashPieceLengthBytes } from './crash-content.ts';
import { taskIdOf } from './fixtures.ts';

const [directory = '', seedText = '0'] = process.argv.slice(2);
let state = Number(seedText) >>> 0;
const store = await TaskStore.open({ directory });
say('open');
for (;;) await oneTask(`task ${random(40)}`);

async function oneTask(name: string): Promise<void> {
  const content = crashContent(name);
  const task = store.open(taskIdOf(name), { url: `http://origin/${name}` });
  if (task.state === 'finished' || random(8) === 0) {
    say(`removing ${name}`);
    store.remove(task.id);
    return;
  }
  if (random(12) === 0) {
    say(`restarting ${name}`);
    task.restart();
  }
  task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes: crashPieceLengthBytes });
  const { layout } = task;
  if (!layout) return;
  const missing = Array.from({ length: layout.pieceCount }, (_, number) => number).filter(
    (number) => !task.pieces.has(number),
  );
  await Promise.all(
    missing.slice(0, 1 + random(6)).map(async (number) => {
      const { offset, length } = pieceSpan(layout, number);
      const writer = task.writePiece(number);
      for (let at = offset; at < offset + length; at += 16_384) {
        await writer.write(content.subarray(at, Math.min(at + 16_384, offset + length)));
      }
      await writer.commit({ source: 'origin', costMs: 1 });
      say(`piece ${name} ${number}`);
    }),
  );
  if (!task.complete) return;
  task.finish();
  say(`finish ${name}`);
}

function say(line: string): void {
  writeSync(1, `${line.replace('task ', 'task-')}\n`);
}

function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}
