/**
 * The content length in a message. The original writes -1 into its unsigned fields for an unknown length; that, and
 * anything else beyond exact numbers, decodes as the largest exact number.
 */
export function knownLength(bytes: number | undefined): number | undefined {
  return bytes === undefined || bytes >= Number.MAX_SAFE_INTEGER ? undefined : bytes;
}
