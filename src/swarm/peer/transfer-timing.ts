/** When the next piece is requested while one is still in flight. Shared by the transport and the simulator, so that both behave the same. */

/**
 * A child requests the next piece when the rest of the current one will arrive within this time plus a round trip.
 * Equal to what the parent's kernel holds unsent: any earlier, and children would commit to parents that are not free
 * yet.
 */
export const endingLeadMs = 5;

/** A parent accepts a request that it can start within this time plus a round trip: a rejected child would be back later than that. */
export const promiseMs = 5;

/** What shapers and kernels let pass in one burst says nothing about the link's rate. */
export const burstBytes = 2 ** 20;

/**
 * Bytes of one connection that the kernel may hold unsent: as much as it sends in `unsentMs`, so that accepted bytes
 * practically count as sent, and the socket does not run empty before the event loop turns again.
 */
export const unsentMs = 5;
export const minUnsentBytes = 512 * 1024;
export const maxUnsentBytes = 4 * 2 ** 20;

/** Children hear of a parent's load at once, and then at most this often; an only child even less often. */
export const loadNewsMs = 4;
export const soleLoadNewsMs = 50;
