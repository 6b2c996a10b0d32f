/**
 * Whether two answers of an origin may be about one version of its content. Nodes ask with their own credentials at
 * different times, so an origin may have described different content to each, and the length alone does not distinguish
 * it. Pure.
 */
type Header = Readonly<Record<string, string>>;

/** False when both have a validator of the same kind and these differ; a validator that only one of them has proves nothing. */
export function isSameVersion(one: Header, other: Header): boolean {
  for (const name of ['etag', 'last-modified']) {
    const [first, second] = [one[name], other[name]].map((value) => value?.replace(/^W\//, ''));
    if (first !== undefined && second !== undefined) return first === second;
  }
  return true;
}
