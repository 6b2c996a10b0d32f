/** A path of the proxy's port that stands for a service on the internet: users set one address, and need no rule and no certificate authority. */
import type { ClientCall } from '../client-call.ts';
import type { RequestTarget } from '../wire/request-target.ts';

export interface Door {
  /** Where a request for this path and query goes; undefined when it is not for this door. */
  target(pathAndQuery: string): RequestTarget | undefined;
  /** Answers in every case. */
  answer(call: ClientCall): Promise<void>;
}
