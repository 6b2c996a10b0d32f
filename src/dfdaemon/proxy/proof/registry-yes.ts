/** A registry's yes about a blob, for who asked and as other nodes are told of it. */
import { z } from 'zod';
import type { Sample } from './possession.ts';
import type { ToldBlob } from './told-blob.ts';

export interface Yes {
  /** What it tells of the blob, if it was asked for this request. */
  readonly blob?: ToldBlob | undefined;
  readonly lengthBytes?: number | undefined;
  /** Bytes it gave of it, to be compared before its word counts. */
  readonly sample?: Sample | undefined;
}

export const sharedYes = z.object({
  lengthBytes: z.int().positive(),
  /** The registry itself has answered; absent when the blob lies behind a redirect. */
  header: z.record(z.string(), z.string()).optional(),
  sample: z.object({ offset: z.int().nonnegative(), bytes: z.base64() }).optional(),
  /** The registry has proven to the asking node that it has the bytes, or is trusted there. */
  isShown: z.boolean(),
});

export type SharedYes = z.output<typeof sharedYes>;

export function yesToTell({ lengthBytes = 0, blob, sample }: Yes): Omit<SharedYes, 'isShown'> {
  return {
    lengthBytes,
    header: blob?.header,
    sample: sample && { offset: sample.offset, bytes: sample.bytes.toString('base64') },
  };
}

export function yesFromOther({ lengthBytes, header, sample }: SharedYes): Yes {
  return {
    lengthBytes,
    blob: header && { contentLengthBytes: lengthBytes, header },
    sample: sample && { offset: sample.offset, bytes: Buffer.from(sample.bytes, 'base64') },
  };
}
