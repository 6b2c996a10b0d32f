/** Bounds of bundles: what one task of many small files may be. All nodes have the same, or they would name different tasks. */

/** Files above are tasks of their own: they cost little beside their bytes. */
export const maxBundledFileBytes = 2 ** 20;
/** In one bundle; a node that loses its place loses no more than a bundle, and bundles come at the same time. */
export const maxBundleBytes = 64 * 2 ** 20;
export const maxBundleFiles = 4096;
/** Fewer are not worth it: as tasks of their own they are those of everybody who asks for one of them. */
export const minBundleFiles = 16;
/** The list of one bundle, unpacked. */
export const maxBundleListBytes = 2 ** 20;
/** As it travels, packed: what requests, and schedulers for as long as they know the task, carry beside everything else. */
export const maxPackedListBytes = 512 * 1024;
export const maxBundlePathLength = 4096;
