/** Bounds of published directories, with their units and reasons. What lies above them is refused, by the publisher and by every subscriber. */

export const releaseLimits = {
  /** Files, directories and links together. */
  entries: 200_000,
  /** Characters of one path and of one of its names, as Linux has it. */
  pathLength: 4_095,
  nameLength: 255,
  /** Links on the way to one target: the kernel follows no more either. */
  links: 40,
  /** Different chunks of one version: a manifest of some 40 MiB. */
  chunks: 1_000_000,
  /** The same, counted as often as files have them. */
  references: 4_000_000,
  /** Packs one version refers to. */
  packs: 512,
  /** Bytes of a manifest, as it travels and unpacked. */
  manifestBytes: 64 * 2 ** 20,
  manifestTextBytes: 256 * 2 ** 20,
} as const;
