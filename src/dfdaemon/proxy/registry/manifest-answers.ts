/** A registry's answer about a manifest, as it is kept for others and updated by a later one. Pure. */
import { strongValidator } from '../proof/representation.ts';
import type { ManifestAnswer } from '../proof/shared-manifest.ts';
import { pairs } from '../wire/header.ts';

/** Describe the body that is stored, so those of a 304 do not count. */
const ofTheBody: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-type',
  'transfer-encoding',
  'etag',
]);

/** The same for another caller: cookies are meant for whom they were sent to. */
export function forOthers<Answer extends ManifestAnswer>(answer: Answer): Answer {
  return 'set-cookie' in answer.header ? without(answer, new Set(['set-cookie'])) : answer;
}

/** The stored answer with what a 304 says anew. */
export function refreshedBy<Answer extends ManifestAnswer>(stored: Answer, notModified: ManifestAnswer): Answer {
  const news = without(notModified, ofTheBody);
  const kept = without(stored, new Set([...Object.keys(news.header), 'set-cookie']));
  return {
    ...kept,
    lines: kept.lines && [...kept.lines, ...(news.lines ?? [])],
    header: { ...kept.header, ...news.header },
  };
}

/** The 304 may be about these bytes: it names no other entity tag or digest. */
export function confirms(notModified: ManifestAnswer, stored: ManifestAnswer): boolean {
  return ['etag', 'docker-content-digest'].every((name) => {
    const [told, known] = [notModified.header[name], stored.header[name]].map(bare);
    return told === undefined || known === undefined || told === known;
  });
}

/** A condition by which the registry need not send what is stored. */
export function conditionFor(stored: ManifestAnswer): Record<string, string> | undefined {
  const etag = strongValidator({ etag: [stored.header['etag'] ?? ''].flat()[0] ?? '' });
  return etag === undefined ? undefined : { 'If-None-Match': etag };
}

function bare(value: string | string[] | undefined): string | undefined {
  return (Array.isArray(value) ? value[0] : value)?.replace(/^W\//, '');
}

function without<Answer extends ManifestAnswer>(answer: Answer, names: ReadonlySet<string>): Answer {
  const lines = answer.lines && [...pairs(answer.lines)].filter(([name]) => !names.has(name.toLowerCase())).flat();
  const header = Object.fromEntries(Object.entries(answer.header).filter(([name]) => !names.has(name)));
  return { ...answer, lines, header };
}
