/** RFC 9110 §10.2.3: an origin says when to ask it again, as seconds from now or as a date. */

/** Milliseconds from now, 0 for a moment that has passed; undefined when the origin does not say, or not in a valid form. */
export function retryAfterMs(
  header: Readonly<Record<string, string>> | undefined,
  nowMs = Date.now(),
): number | undefined {
  const text = header?.['retry-after']?.trim();
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // A date has a precision of one second, so the end of that second is safe.
  const date = /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date + 999 - nowMs);
}
