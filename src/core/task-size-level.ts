const mebibyte = 2 ** 20;
const upToMebibytes = [1, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];
/** From 8 GiB on each level ends at twice the size of the previous one, the last at 1 TiB. */
for (let end = 8192; end <= 1024 * 1024; end *= 2) upToMebibytes.push(end);

/** The size classes of the original's metrics: 0 unknown, 1 below 1 MiB, 2 below 4 MiB … 19 below 1 TiB, 20 above. */
export function taskSizeLevel(contentLengthBytes: number | undefined): number {
  if (contentLengthBytes === undefined) return 0;
  const level = upToMebibytes.findIndex((end) => contentLengthBytes < end * mebibyte);
  return level < 0 ? upToMebibytes.length + 1 : level + 1;
}
