/** Which headers of a request are covered by a signature and must reach the origin exactly as they are. Pure. */

/** Covered by Azure's shared keys, also where the request lacks them. */
const ofSharedKeys = ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];

/**
 * Lower-case names from `SignedHeaders` and the like, in the Authorization header (AWS and compatible stores) or in the
 * query of a signed URL. Empty for an unsigned request.
 */
export function signedHeaders(header: Readonly<Record<string, string>>, url: URL): ReadonlySet<string> {
  if (/^SharedKey /i.test(header['authorization'] ?? '')) return new Set(ofSharedKeys);
  const lists = [
    ...(header['authorization'] ?? '').matchAll(/\b(?:SignedHeaders|AdditionalHeaders)\s*=\s*"?([^",\s]+)/gi),
  ];
  const names = lists.flatMap((match) => (match[1] ?? '').split(';'));
  for (const [name, value] of url.searchParams)
    if (/signed-?headers|additional-headers|header-list$/i.test(name)) names.push(...value.split(';'));
  return new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''));
}
