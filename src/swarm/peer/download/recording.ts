/**
 * Records a download's machine line by line: its setup, then each event with its time and the effects it led to. Since
 * the machine knows neither clock nor network, the same lines lead to the same effects again.
 *
 * One JSON object per line. Sets of pieces are written as ranges (`0-63,70`). Of a parent only id and distance are
 * recorded; its address and the right to use it are left out.
 */
import { DragonflyError } from '../../../core/errors.ts';
import { PieceSet } from '../../shared/piece-set.ts';
import { seededRandom } from '../../shared/random.ts';
import type { PickerLimits } from '../picker-limits.ts';
import type { PeerEffect } from './effects.ts';
import type { Moment, PeerEvent } from './events.ts';
import type { DownloadRules } from './download-rules.ts';
import { PeerMachine } from './peer-machine.ts';
import type { SchedulerKinds } from './starvation.ts';

const format = 'dragonfly-download-3';

/** The setup of the machine. */
export interface RecordingStart extends DownloadRules {
  readonly taskId: string;
  readonly peerId: string;
  /** Of the machine's chance. */
  readonly seed: number;
  readonly limits: PickerLimits;
  readonly settleMs: number;
}

export interface RecordedStep {
  readonly moment: Moment;
  readonly event: PeerEvent;
  readonly effects: readonly PeerEffect[];
}

export interface Recording {
  readonly start: RecordingStart;
  readonly steps: readonly RecordedStep[];
  /** The last line is incomplete: the process was killed, or the recording had reached its bound. */
  readonly isCut: boolean;
}

/** Creates the machine for a recording's steps, or for a new recording. */
export function recordedMachine({ seed, limits, ...rules }: RecordingStart): PeerMachine {
  return new PeerMachine({ ...rules, picker: { random: seededRandom(seed), limits } });
}

export function startLine(start: RecordingStart): string {
  return `${JSON.stringify({ format, ...start })}\n`;
}

export function stepLine(
  { nowMs, bytesPerSec, latestBytesPerSec, answerMs, schedulers }: Moment,
  event: PeerEvent,
  effects: readonly PeerEffect[],
): string {
  const told = event.kind === 'parents-offered' ? { ...event, parents: event.parents.map(idAndDistance) } : event;
  return `${JSON.stringify({ at: [nowMs, bytesPerSec, latestBytesPerSec, answerMs, schedulers], event: told, effects }, written)}\n`;
}

/** Throws INVALID_ARGUMENT, with the line number, for text that is no recording of this version. */
export function readRecording(text: string): Recording {
  const lines = text.split('\n');
  const isCut = lines.pop() !== '';
  const [first = '', ...rest] = lines;
  const start = parse(first, 1) as RecordingStart & { readonly format?: unknown };
  if (start.format !== format) throw invalid(1, `a recording of a download begins with {"format":"${format}"`);
  const steps = rest.map((line, index): RecordedStep => {
    const { at, event, effects } = parse(line, index + 2) as {
      at?: unknown;
      event?: PeerEvent;
      effects?: PeerEffect[];
    };
    if (!Array.isArray(at) || !event || !effects) throw invalid(index + 2, 'a step has "at", "event" and "effects"');
    const [nowMs, bytesPerSec, latestBytesPerSec, answerMs, schedulers] = at as [
      ...[number, number, number, number],
      SchedulerKinds,
    ];
    return { moment: { nowMs, bytesPerSec, latestBytesPerSec, answerMs, schedulers }, event, effects };
  });
  return { start, steps, isCut };
}

export interface ReplayedStep extends RecordedStep {
  /** The effects of the current code. */
  readonly today: readonly PeerEffect[];
  readonly isSame: boolean;
}

/**
 * Replays a recording with the current machine. Ends with the first step that leads to other effects, because the recorded events
 * after it no longer fit.
 */
export function* replay({ start, steps }: Recording): Generator<ReplayedStep> {
  const machine = recordedMachine(start);
  for (const step of steps) {
    const today = machine.step(step.event, step.moment);
    const isSame = JSON.stringify(today) === JSON.stringify(step.effects);
    yield { ...step, today, isSame };
    if (!isSame) return;
  }
}

function idAndDistance({ peerId, distance }: { peerId: string; distance: number }): object {
  return { peerId, distance };
}

/** JSON has no sets; any other iterable of pieces becomes a list. */
function written(_key: string, value: unknown): unknown {
  if (value instanceof PieceSet) return { set: rangesOf(value) };
  return isIterable(value) ? [...value] : value;
}

function revived(_key: string, value: unknown): unknown {
  const { set } = (value ?? {}) as { set?: unknown };
  return typeof set === 'string' ? setOfRanges(set) : value;
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Symbol.iterator in value;
}

function rangesOf(set: PieceSet): string {
  const ranges: [number, number][] = [];
  for (const piece of set) {
    const last = ranges.at(-1);
    if (last && last[1] === piece - 1) last[1] = piece;
    else ranges.push([piece, piece]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}

function setOfRanges(text: string): PieceSet {
  const set = new PieceSet();
  for (const range of text === '' ? [] : text.split(',')) {
    const [first = 0, last = first] = range.split('-').map(Number);
    for (let piece = first; piece <= last; piece += 1) set.add(piece);
  }
  return set;
}

function parse(line: string, number: number): object {
  try {
    const value: unknown = JSON.parse(line, revived);
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw invalid(number, (error as Error).message);
  }
  throw invalid(number, 'not an object');
}

function invalid(line: number, why: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', `line ${line}: ${why}`, {
    hint: 'Give the file of one download from the directory of recordings of a dfdaemon.',
  });
}
