/** Which headers of a request are covered by a signature: those must reach the origin exactly as they are. Pure. */

/**
 * Lower-case names out of `SignedHeaders` and its kin, in the Authorization header (AWS, and the stores that took over its
 * scheme) or in the query of a signed URL. Empty for a request without such a signature.
 */
export function signedHeaders(header: Readonly<Record<string, string>>, url: URL): ReadonlySet<string> {
  const lists = [
    ...(header['authorization'] ?? '').matchAll(/\b(?:SignedHeaders|AdditionalHeaders)\s*=\s*"?([^",\s]+)/gi),
  ];
  const names = lists.flatMap((match) => (match[1] ?? '').split(';'));
  for (const [name, value] of url.searchParams)
    if (/signed-?headers|additional-headers|header-list$/i.test(name)) names.push(...value.split(';'));
  return new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''));
}
