/**
 * Length of content as a message tells it. The original writes -1 into its unsigned fields while it does not know;
 * that, and anything else past what a number holds exactly, decodes as the greatest exact number.
 */
export function knownLength(bytes: number | undefined): number | undefined {
  return bytes === undefined || bytes >= Number.MAX_SAFE_INTEGER ? undefined : bytes;
}
