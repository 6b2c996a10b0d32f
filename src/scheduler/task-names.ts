/** Which ids a host may register what under: an id is a name, and whoever registers could claim it for anything. */
import { listDigestOf } from '../core/bundle/bundle.ts';
import { DragonflyError } from '../core/errors.ts';
import { bundleNamedBy, isSameContent, misnomer, type NamedContent } from '../core/task-name.ts';
import type { Download } from '../../gen/common/v2/common.ts';

/** Throws PERMISSION_DENIED when the id does not belong to the given URL. */
export function requireNameOf(taskId: string, download: Download): void {
  const why = misnomer(taskId, contentOf(download));
  if (why === undefined) return;
  throw new DragonflyError('PERMISSION_DENIED', `task ${taskId} is not taken: ${why}`, {
    hint: 'Choose another text for --content-for-calculating-task-id.',
  });
}

/** Throws TASK_CONFLICT when others hold other content under the id. */
export function requireSameContent(taskId: string, known: Download | undefined, download: Download): void {
  if (isOfOthers(known, download))
    throw new DragonflyError('TASK_CONFLICT', `task ${taskId} is other content of another URL or tag here`, {
      hint: 'Nodes of this version take another id for it by themselves.',
    });
}

/**
 * The list of a bundle, of which every node that asks brings a copy: the one that is known for the id already, where there is one. Call it after
 * `requireNameOf`. Throws PERMISSION_DENIED when the list is not what the id is computed from.
 */
export function namedBundle(taskId: string, download: Download, known: Download | undefined): Uint8Array | undefined {
  const { bundle, contentForCalculatingTaskId: text } = download;
  if (!bundle || (known?.bundle && Buffer.compare(bundle, known.bundle) === 0)) return bundle && known?.bundle;
  const named = text === undefined ? undefined : bundleNamedBy(text);
  if (named !== undefined && listDigestOf(bundle) === named) return known?.bundle ?? bundle;
  throw new DragonflyError(
    'PERMISSION_DENIED',
    `task ${taskId} is not taken: its list of files is not the one it is named by`,
  );
}

/** A host reports its content without the query filters that it was requested with. */
export function isOfOthers(known: Download | undefined, download: Download): boolean {
  if (known === undefined || known.url === '' || download.url === '') return false;
  const asked = contentOf(download);
  const filteredQueryParams = [...asked.filteredQueryParams, ...known.filteredQueryParams];
  return !isSameContent(contentOf(known), { ...asked, filteredQueryParams });
}

function contentOf({ enableTaskIdBasedBlobDigest: blobDigestAsId, ...download }: Download): NamedContent {
  return { ...download, blobDigestAsId };
}
