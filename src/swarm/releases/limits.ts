/** Bounds of published directories, with their units and reasons. A publisher and every subscriber reject what exceeds them. */

export const releaseLimits = {
  /** Files, directories and links together. */
  entries: 200_000,
  /** Characters of one path and of one name in it, as in Linux. */
  pathLength: 4_095,
  nameLength: 255,
  /** Links followed to reach one target; the kernel follows no more either. */
  links: 40,
  /** Different chunks of one version: a manifest of some 40 MiB. */
  chunks: 1_000_000,
  /** References to chunks, counting each use in a file. */
  references: 4_000_000,
  /** Packs one version refers to. */
  packs: 512,
  /** Bytes of a manifest, as it travels and unpacked. */
  manifestBytes: 64 * 2 ** 20,
  manifestTextBytes: 256 * 2 ** 20,
} as const;
