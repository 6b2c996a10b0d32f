/** What rules ask of a source, whichever kind it is. */
export interface NamedTag {
  readonly repository: string;
  readonly tag: string;
}

export interface TagSource {
  /** Tags that one of the patterns matches. Throws RESOURCE_EXHAUSTED, SOURCE_STATUS, SOURCE_UNREACHABLE, PROTOCOL. */
  list(patterns: readonly string[], signal: AbortSignal): Promise<NamedTag[]>;
  /** What the tag names now; undefined when the source has no such tag. */
  digest(tag: NamedTag, signal: AbortSignal): Promise<string | undefined>;
  /** Arguments of the preheat that brings it. */
  preheat(tag: NamedTag, digest: string): Record<string, unknown>;
}
