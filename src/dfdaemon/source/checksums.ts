/** Which header fields of an answer are checksums of its bytes. Pure. */

/** Fields that describe one message or its bytes: they must not be sent with other bytes than the original ones. */
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

/** The header without checksums: those of the whole content must not be sent with a part, nor those of a part with the whole. */
export function withoutChecksums(header: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => !ofTheBytes(name)));
}

/** The checksums alone. */
export function checksumsOf(header: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => ofTheBytes(name)));
}
