/** The states of tasks and peers and all transitions between them. Any transition that is not in a table is an error. */
import { DragonflyError } from '../../core/errors.ts';

export type PeerState =
  | 'Pending'
  | 'ReceivedEmpty'
  | 'ReceivedTiny'
  | 'ReceivedSmall'
  | 'ReceivedNormal'
  | 'Running'
  | 'BackToSource'
  | 'Succeeded'
  | 'Failed'
  | 'Leave';
export type PeerEvent =
  | 'RegisterEmpty'
  | 'RegisterTiny'
  | 'RegisterSmall'
  | 'RegisterNormal'
  | 'Download'
  | 'DownloadBackToSource'
  | 'DownloadSucceeded'
  | 'DownloadFailed'
  | 'Leave';
export type TaskState = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Leave';
export type TaskEvent = 'Download' | 'DownloadSucceeded' | 'DownloadFailed' | 'Leave';

type Transitions<State extends string, Event extends string> = Readonly<
  Record<Event, { readonly from: readonly State[]; readonly to: State }>
>;

const received = ['ReceivedEmpty', 'ReceivedTiny', 'ReceivedSmall', 'ReceivedNormal'] as const;

export const peerTransitions: Transitions<PeerState, PeerEvent> = {
  RegisterEmpty: { from: ['Pending'], to: 'ReceivedEmpty' },
  RegisterTiny: { from: ['Pending'], to: 'ReceivedTiny' },
  RegisterSmall: { from: ['Pending'], to: 'ReceivedSmall' },
  RegisterNormal: { from: ['Pending'], to: 'ReceivedNormal' },
  Download: { from: received, to: 'Running' },
  DownloadBackToSource: { from: [...received, 'Running'], to: 'BackToSource' },
  DownloadSucceeded: { from: [...received, 'Running', 'BackToSource'], to: 'Succeeded' },
  DownloadFailed: { from: ['Pending', ...received, 'Running', 'BackToSource', 'Succeeded'], to: 'Failed' },
  Leave: { from: ['Pending', ...received, 'Running', 'BackToSource', 'Succeeded', 'Failed'], to: 'Leave' },
};

export const taskTransitions: Transitions<TaskState, TaskEvent> = {
  Download: { from: ['Pending', 'Succeeded', 'Failed', 'Leave'], to: 'Running' },
  DownloadSucceeded: { from: ['Leave', 'Running', 'Failed'], to: 'Succeeded' },
  DownloadFailed: { from: ['Running'], to: 'Failed' },
  Leave: { from: ['Pending', 'Running', 'Succeeded', 'Failed'], to: 'Leave' },
};

export function nextPeerState(state: PeerState, event: PeerEvent): PeerState {
  return next(peerTransitions, 'peer', state, event);
}

export function nextTaskState(state: TaskState, event: TaskEvent): TaskState {
  return next(taskTransitions, 'task', state, event);
}

export function peerCan(state: PeerState, event: PeerEvent): boolean {
  return peerTransitions[event].from.includes(state);
}

/** The peer still wants pieces. */
export function isDownloading(state: PeerState): boolean {
  return state === 'Running' || state === 'BackToSource' || (received as readonly PeerState[]).includes(state);
}

function next<State extends string, Event extends string>(
  table: Transitions<State, Event>,
  what: string,
  state: State,
  event: Event,
): State {
  const transition = table[event];
  if (transition.from.includes(state)) return transition.to;
  throw new DragonflyError('FAILED_PRECONDITION', `a ${what} in state ${state} cannot take the event ${event}`);
}
