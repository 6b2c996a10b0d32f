/** `dfctl top`: the busiest nodes and what needs attention, redrawn every two seconds; a single frame when the output is not a terminal. */
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandIo } from '../../core/process/command.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { ManagerApi, type Concern, type ManagerFlags, type Node } from './manager-api.ts';
import { nodeColumns } from './node.ts';
import { textTable } from './text-table.ts';

const intervalMs = 2_000;
const defaultRows = 24;
const maxConcerns = 6;
/** As bytes: of texts only what is to be read gets through. */
const clear = Buffer.from('\u001B[H\u001B[2J');

interface Frame {
  readonly nodes: readonly Node[];
  readonly concerns: readonly Concern[];
}

export async function runTop(flags: ManagerFlags, io: CommandIo): Promise<number> {
  const api = new ManagerApi(flags, io);
  if (flags.json) {
    const frame = await read(api);
    io.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), counts: countsOf(frame.nodes), ...frame })}\n`);
    return 0;
  }
  if (!io.stdout.isTTY) {
    io.stdout.write(draw(await read(api), Infinity));
    return 0;
  }
  let last = await read(api);
  for (let trouble = ''; !io.signal.aborted;) {
    const rows = (io.stdout as { readonly rows?: number }).rows ?? defaultRows;
    io.stdout.write(clear);
    io.stdout.write(`${draw(last, rows - 1)}${trouble}`);
    await delay(intervalMs, undefined, { signal: io.signal }).catch(() => undefined);
    if (io.signal.aborted) break;
    trouble = '';
    try {
      last = await read(api);
    } catch (error) {
      // The last known state stays on the screen while the manager is away.
      trouble = `${toDragonflyError(error).message}\n`;
    }
  }
  return 0;
}

async function read(api: ManagerApi): Promise<Frame> {
  const [nodes, concerns] = await Promise.all([api.nodes({ sort: 'uploads' }), api.concerns()]);
  return { nodes, concerns };
}

function draw({ nodes, concerns }: Frame, rows: number): string {
  const open = concerns.filter(({ acknowledged_by: by }) => by === '');
  const { online, silent, lost } = countsOf(nodes);
  const uploads = nodes.reduce((sum, { uploads_running: running }) => sum + running, 0);
  const head = `${online} online, ${silent} hung, ${lost} lost; ${uploads} uploads now  ${new Date().toTimeString().slice(0, 8)}\n`;
  const told = open
    .slice(0, maxConcerns)
    .map((concern) => `${concern.severity === 'error' ? '!' : '-'} ${sentence(concern)}\n`);
  if (open.length > maxConcerns) told.push(`  and ${open.length - maxConcerns} more\n`);
  if (open.length === 0) told.push('Nothing needs attention.\n');
  const room = Math.max(1, rows - told.length - 4);
  return `${head}${told.join('')}\n${textTable(nodes.slice(0, room), nodeColumns(24))}`;
}

function sentence({ name, detail }: Concern): string {
  const text = `${name}: ${detail}`;
  return text.length <= 76 ? text : `${text.slice(0, 75)}…`;
}

function countsOf(nodes: readonly Node[]): { readonly online: number; readonly silent: number; readonly lost: number } {
  const count = (state: string): number => nodes.filter((node) => node.state === state).length;
  return { online: count('online'), silent: count('silent'), lost: count('lost') };
}
