/** What is to be done for content that stays, as its keeper decides it. */
import type { KeptFacts } from './kept-task.ts';

export type ReplicaEffect =
  /** The host is to download the task and to keep it. */
  | { readonly kind: 'make'; readonly taskId: string; readonly hostId: string }
  /** The host has a copy, which is to stay. */
  | { readonly kind: 'keep'; readonly taskId: string; readonly hostId: string }
  /** The host holds it, and is to hear what is known of it by now. */
  | { readonly kind: 'tell'; readonly taskId: string; readonly hostId: string }
  /** Enough other hosts hold a replica: the host may collect its own when it needs the space. */
  | { readonly kind: 'release'; readonly taskId: string; readonly hostId: string }
  /** The task is over: the host is to delete what it has of it. */
  | { readonly kind: 'remove'; readonly taskId: string; readonly hostId: string; readonly ofObject: boolean }
  /** Enough hosts hold it: the import may be acknowledged. */
  | { readonly kind: 'settled'; readonly taskId: string }
  /** An import cannot be acknowledged: there are too few hosts that could hold it. */
  | { readonly kind: 'stuck'; readonly taskId: string; readonly hosts: number };

export function removal({ taskId, object }: KeptFacts, hostId: string): ReplicaEffect {
  return { kind: 'remove', taskId, hostId, ofObject: object !== undefined };
}
