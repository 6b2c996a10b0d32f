/**
 * Whether two answers of an origin may be about one version of its content. Nodes bring their own credentials and come at their
 * own time: an origin may have told another one of another content, and the length alone does not tell them apart. Pure.
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
