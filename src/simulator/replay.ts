/** `dragonfly simulate --replay FILE`: plays the events of a recorded download to the current peer machine. */
import type { PeerEffect } from '../swarm/peer/download/effects.ts';
import type { PeerEvent } from '../swarm/peer/download/events.ts';
import type { OriginLease } from '../swarm/peer/download/origin-lease.ts';
import { readRecording, replay, type RecordedStep } from '../swarm/peer/download/recording.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';

interface Tally {
  readonly from: string;
  requests: number;
  pieces: number;
  failures: number;
}

/**
 * @param text the recording. @returns whether the machine behaves as it did in the recording. Throws INVALID_ARGUMENT
 * for text that is not a recording.
 */
export function printReplay(text: string, print: (line: string) => void): boolean {
  const recording = readRecording(text);
  const { start, steps } = recording;
  const startMs = steps[0]?.moment.nowMs ?? 0;
  const secondsAt = ({ moment }: RecordedStep): string => ((moment.nowMs - startMs) / 1000).toFixed(3).padStart(9);
  const tallies = new Map<string, Tally>();
  print(`task ${start.taskId}`);
  print(`peer ${start.peerId}`);
  for (const step of replay(recording)) {
    if (step.event.kind !== 'tick' || step.effects.length > 0)
      print(`${secondsAt(step)}  ${describeEvent(step.event)}`);
    for (const effect of step.effects) print(`${' '.repeat(11)}→ ${describeEffect(effect)}`);
    count(tallies, step);
    if (step.isSame) continue;
    print(`${secondsAt(step)}  today the machine does something else:`);
    for (const effect of step.today) print(`${' '.repeat(11)}→ ${describeEffect(effect)}`);
    return false;
  }
  const silence = longestPause(steps);
  for (const { from, requests, pieces, failures } of tallies.values())
    print(`${from}: ${pieces} pieces, ${requests} requests, ${failures} failed`);
  if (silence)
    print(`longest time without a piece: ${silence.seconds.toFixed(3)} s, from second ${silence.from.toFixed(3)} on`);
  if (recording.isCut) print('the recording ends before the download did');
  print(`${steps.length} events; today the machine does the same`);
  return true;
}

function describeEvent(event: PeerEvent): string {
  switch (event.kind) {
    case 'layout-known':
      return `layout known: ${event.pieceCount} pieces of ${event.pieceLengthBytes} bytes, ${event.held.count} here`;
    case 'parents-offered':
      return `parents offered${event.replace ? ' in place of all others' : ''}: ${list(event.parents.map(({ peerId }) => peerId))}`;
    case 'parents-withdrawn':
      return `parents withdrawn: ${list(event.parentIds)}`;
    case 'parent-has':
      return `${event.parentId} has ${typeof event.pieces === 'number' ? `piece ${event.pieces}` : pieceList(event.pieces)}`;
    case 'parent-offers':
      return `${event.parentId} offers ${pieceList(PieceSet.of(event.pieces))}`;
    case 'parent-load':
      return `${event.parentId} has ${event.uploads ?? 'said how many'} uploads`;
    case 'piece-landed':
      return `piece ${event.piece} landed, from ${event.parentId ?? 'the origin'}`;
    case 'request-failed':
    case 'request-dropped':
      return `${plain(event.kind)} (${event.reason}): piece ${event.piece}, ${event.parentId}`;
    case 'piece-begun':
    case 'piece-ending':
      return `${plain(event.kind)}: ${event.piece}, ${event.parentId}`;
    case 'parent-alive':
      return `${event.parentId} is there`;
    case 'parent-stream-ended':
      return `announcements of ${event.parentId}: ${plain(event.end)}`;
    case 'parent-useless':
      return `${event.parentId} refuses, or holds something else`;
    case 'wanted':
      return `wanted: ${event.pieces ? pieceList(event.pieces) : 'everything'}`;
    case 'read-positions':
      return `readers at ${list(event.pieces.map(String))}`;
    case 'session-opened':
      return `session opened, with a scheduler that ${event.extended ? 'gives leases' : 'is of the original'}`;
    case 'session-ended':
      return `session ended${event.code === undefined ? '' : `: ${event.code}`}`;
    case 'lease-granted':
      return `lease granted: ${describeLease(event.lease)}`;
    case 'unproven':
      return `not what it should be: ${event.code}`;
    case 'lease-revoked':
      return `lease revoked: ${event.leaseId}`;
    case 'origin-failed':
      return `request ${event.request} to the origin failed: ${event.code}${event.temporary ? ', maybe not for long' : ''}`;
    default:
      return plain(event.kind);
  }
}

function describeEffect(effect: PeerEffect): string {
  switch (effect.kind) {
    case 'request-piece':
      return `request piece ${effect.piece} from ${effect.parentId}${effect.hedge ? ', a second time' : ''}`;
    case 'cancel-piece':
      return `cancel piece ${effect.piece} at ${effect.parentId}`;
    case 'report-parent':
      return `report ${effect.parentId}: ${effect.fault}${effect.piece === undefined ? '' : ` (piece ${effect.piece})`}`;
    case 'sync-with-parent':
      return `listen to ${effect.parentId}`;
    case 'ask-parent':
      return `ask ${effect.parentId} whether it is there`;
    case 'leave-parent':
      return `leave ${effect.parentId}`;
    case 'fetch-origin':
    case 'change-origin-run':
      return `${plain(effect.kind)}: ${describeLease(effect.lease)}`;
    case 'report-lease-started':
    case 'report-lease-failed':
      return `${plain(effect.kind)}: ${effect.leaseId || 'of the whole'}`;
    case 'report-pieces':
      return `report pieces: ${effect.sources.map(({ parentId, pieces }) => `${pieces.count} from ${parentId ?? 'the origin'}`).join(', ')}`;
    case 'report-piece':
      return `report piece ${effect.piece} from ${effect.parentId ?? 'the origin'}`;
    case 'verify':
      return effect.whole ? 'verify the whole' : 'verify the part';
    case 'waiting':
      return effect.isWaiting ? 'wait' : 'wait no more';
    case 'fail':
      return `fail: ${plain(effect.because)}`;
    default:
      return plain(effect.kind);
  }
}

function describeLease({ id, first, end, readerRange, readerOnly }: OriginLease): string {
  const pieces =
    readerOnly === true ? 'no pieces' : `pieces from ${first} ${end === undefined ? 'on' : `to ${end - 1}`}`;
  return `${id === '' ? '' : `${id}, `}${pieces}${readerRange ? ', and bytes that a reader waits for' : ''}`;
}

function plain(kind: string): string {
  return kind.replaceAll('-', ' ');
}

function count(tallies: Map<string, Tally>, { event, effects }: RecordedStep): void {
  const of = (from: string): Tally => {
    const tally = tallies.get(from) ?? { from, requests: 0, pieces: 0, failures: 0 };
    tallies.set(from, tally);
    return tally;
  };
  for (const effect of effects) if (effect.kind === 'request-piece') of(effect.parentId).requests += 1;
  if (event.kind === 'request-failed') of(event.parentId).failures += 1;
  if (event.kind === 'piece-landed') of(event.parentId ?? 'origin').pieces += 1;
}

function longestPause(steps: readonly RecordedStep[]): { readonly from: number; readonly seconds: number } | undefined {
  const startMs = steps[0]?.moment.nowMs ?? 0;
  let lastMs = startMs;
  let longest: { from: number; seconds: number } | undefined;
  for (const { event, moment } of steps) {
    if (event.kind !== 'piece-landed') continue;
    const seconds = (moment.nowMs - lastMs) / 1000;
    if (!longest || seconds > longest.seconds) longest = { from: (lastMs - startMs) / 1000, seconds };
    lastMs = moment.nowMs;
  }
  return longest;
}

/** Long lists are shortened; the file has all of it. */
function list(items: readonly string[], most = 8): string {
  if (items.length === 0) return 'none';
  return items.length <= most ? items.join(', ') : `${items.slice(0, most).join(', ')} and ${items.length - most} more`;
}

function pieceList(pieces: PieceSet): string {
  return `${pieces.count} pieces: ${list([...pieces].map(String))}`;
}
