/** Where a redirect leads. Pure. */
import { isUtf8 } from 'node:buffer';

/**
 * @param location as it stood on the wire, each character a byte: many servers write names in UTF-8 there without
 * escaping them. Undefined for what is no URL.
 */
export function redirectTarget(location: string, base: URL): URL | undefined {
  const bytes = Buffer.from(location, 'latin1');
  const text = isUtf8(bytes) ? bytes.toString('utf8') : location;
  return URL.canParse(text, base.href) ? new URL(text, base) : undefined;
}
