/** `Link` of answers (RFC 8288). */

export interface Link {
  readonly target: string;
  /** As they are written, from the semicolon on. */
  readonly parameters: string;
}

export function linksOf(header: string): Link[] {
  const links: Link[] = [];
  for (let at = header.indexOf('<'); at !== -1;) {
    const end = header.indexOf('>', at);
    if (end === -1) break;
    const next = header.indexOf('<', end);
    const parameters = header.slice(end + 1, next === -1 ? undefined : next).trim();
    const isFollowed = next !== -1 && parameters.endsWith(',');
    links.push({ target: header.slice(at + 1, end), parameters: isFollowed ? parameters.slice(0, -1) : parameters });
    at = next;
  }
  return links;
}

/** Where the next page of a list is; undefined for the last one. */
export function nextPageOf(header: string | undefined): string | undefined {
  return linksOf(header ?? '').find(({ target, parameters }) => target !== '' && /;\s*rel="?next\b/i.test(parameters))
    ?.target;
}
