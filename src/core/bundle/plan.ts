/** Which files of a directory become bundles: decided by the listing alone, so that every node decides the same. */
import { isBundled, listOf, makeBundle, type Bundle, type ListedFile } from './bundle.ts';
import { maxBundleBytes, maxBundleFiles, maxBundleListBytes, maxPackedListBytes, minBundleFiles } from './limits.ts';

export interface BundlePlan<File extends ListedFile> {
  readonly bundles: readonly { readonly bundle: Bundle; readonly files: readonly File[] }[];
  /** Tasks of their own. */
  readonly others: readonly File[];
}

/** In the order of their paths: listings come in other orders from one server to the next. */
export function planBundles<File extends ListedFile>(files: readonly File[]): BundlePlan<File> {
  const small = files.filter((file) => isBundled(file)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const planned: { bundle: Bundle; files: readonly File[] }[] = [];
  const bundled = new Set<File>();
  for (const group of groupsOf(small)) {
    if (group.length < minBundleFiles) continue;
    const bundle = makeBundle(group);
    // Paths and digests that hardly pack make lists that are too long to be carried about.
    if (bundle.packed.length > maxPackedListBytes) continue;
    planned.push({ bundle, files: group });
    for (const file of group) bundled.add(file);
  }
  return { bundles: planned, others: files.filter((file) => !bundled.has(file)) };
}

function groupsOf<File extends ListedFile>(files: readonly File[]): File[][] {
  const groups: File[][] = [];
  let group: File[] = [];
  let bytes = 0;
  let listBytes = 0;
  for (const file of files) {
    const ofList = Buffer.byteLength(listOf([file]));
    const isFull =
      group.length >= maxBundleFiles ||
      bytes + file.lengthBytes > maxBundleBytes ||
      listBytes + ofList > maxBundleListBytes;
    if (isFull) {
      groups.push(group);
      [group, bytes, listBytes] = [[], 0, 0];
    }
    group.push(file);
    bytes += file.lengthBytes;
    listBytes += ofList;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
