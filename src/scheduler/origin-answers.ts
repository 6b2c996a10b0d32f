/** What the status of an origin's answer means for the next request. */

/** Asking again gives the same answer; a timeout, throttling or a fault of the server may pass. */
export function isPermanent(statusCode: number): boolean {
  return statusCode >= 400 && statusCode < 500 && statusCode !== 408 && statusCode !== 425 && statusCode !== 429;
}
