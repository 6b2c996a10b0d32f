/** A registry as a user names it: `docker.io`, `registry.example:5000`, or with its address, `name=http://host:port`. */
import { DragonflyError } from '../../core/errors.ts';

export interface SetupRegistry {
  /** The name with which image references begin. */
  readonly name: string;
  /** Where its API is. */
  readonly url: string;
}

export function parseRegistry(text: string): SetupRegistry {
  const [name = '', url = defaultUrl(name)] = text.split('=', 2);
  const valid = /^[a-z0-9]+([._-][a-z0-9]+)*(:\d{1,5})?$/i.test(name) && URL.canParse(url) && /^https?:/.test(url);
  if (valid) return { name, url: url.replace(/\/+$/, '') };
  throw new DragonflyError('INVALID_ARGUMENT', `"${text}" does not name a registry`, {
    hint: 'Write its host as image names begin with it, for example ghcr.io, or name=http://host:port.',
  });
}

/** Image names begin with docker.io, but the registry has another host; docker.io itself is a web site. */
function defaultUrl(name: string): string {
  return name === 'docker.io' ? 'https://registry-1.docker.io' : `https://${name}`;
}
