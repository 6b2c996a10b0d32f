import type { ReactNode } from 'react';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { Release } from './release-queries.ts';

/** On one line, however narrow its column is. */
export function BytesText({ bytes }: { readonly bytes: number }): ReactNode {
  const formats = useFormats();
  return <span style={{ whiteSpace: 'nowrap' }}>{formats.bytes(bytes)}</span>;
}

/** What a version has that the one before it had not. */
export function NewText({ release }: { readonly release: Release }): ReactNode {
  const t = useText();
  const { bytes, percent } = useFormats();
  const { content_length: length, new_length: fresh, previous_version: previous } = release;
  if (previous === '' || length === 0) return <BytesText bytes={fresh} />;
  return t('releases.newShare', { bytes: bytes(fresh), share: percent(fresh / length) });
}
