/** Which fields of an answer are checksums of the bytes in it. Pure. */

/** Fields that describe one message or the bytes in it: they must not come with other bytes than they were given with. */
const ofTheBytes = (name: string): boolean =>
  name === 'content-md5' ||
  name === 'digest' ||
  name === 'content-digest' ||
  name === 'x-goog-hash' ||
  name === 'x-oss-hash-crc64ecma' ||
  name === 'x-cos-hash-crc64ecma' ||
  name === 'x-ms-content-crc64' ||
  name.startsWith('x-amz-checksum-') ||
  name.startsWith('x-amz-meta-checksum');

/** The header without checksums: those of the whole must not ride on a part, nor those of a part on the whole. */
export function withoutChecksums(header: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => !ofTheBytes(name)));
}

/** The checksums alone. */
export function checksumsOf(header: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => ofTheBytes(name)));
}
