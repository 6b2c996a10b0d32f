/** A registry's permission to read a blob, for the caller and in the form that other nodes get. */
import { z } from 'zod';
import type { Sample } from './possession.ts';
import type { ToldBlob } from './told-blob.ts';

export interface Yes {
  /** What the registry told of the blob, if it was asked for this request. */
  readonly blob?: ToldBlob | undefined;
  readonly lengthBytes?: number | undefined;
  /** Bytes of the blob that it sent, to be compared before its permission counts. */
  readonly sample?: Sample | undefined;
}

export const sharedYes = z.object({
  lengthBytes: z.int().positive(),
  /** The registry's own header; absent when the blob lies behind a redirect. */
  header: z.record(z.string(), z.string()).optional(),
  sample: z.object({ offset: z.int().nonnegative(), bytes: z.base64() }).optional(),
  /** The registry has shown the asking node that it has the bytes, or is trusted there. */
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
