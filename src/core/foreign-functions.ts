/** Calls into the C library, for what Node does not offer. */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

/** Loaded on the first use. Throws where there is no prebuilt library for this machine. */
export function foreignFunctions(): typeof Koffi {
  return createRequire(import.meta.url)('koffi') as typeof Koffi;
}
