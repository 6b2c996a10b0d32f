/** When the next piece is requested while one is still in flight. Shared by the transport and the simulator, so that both behave the same. */

/**
 * A child asks for the next piece when what is left of the one coming in will be here in this time and a round trip more. As
 * long as what the parent's kernel holds unsent: earlier, children commit themselves to parents that are not free yet.
 */
export const endingLeadMs = 5;

/** A parent takes a request when it can begin with it within this time and a round trip: sent away, the child would be back later than that. */
export const promiseMs = 5;

/** What shapers and kernels let pass at once says nothing about the rate of the link. */
export const burstBytes = 2 ** 20;

/**
 * Bytes of one connection that the kernel may hold and has not sent: what goes out in `unsentMs`, so that what was handed
 * over counts as sent, and the socket does not run empty before the event loop turns again.
 */
export const unsentMs = 5;
export const minUnsentBytes = 512 * 1024;
export const maxUnsentBytes = 4 * 2 ** 20;

/** Children hear at once how much there is to do at a parent, and then at most this often; one that is alone, so seldom. */
export const loadNewsMs = 4;
export const soleLoadNewsMs = 50;
