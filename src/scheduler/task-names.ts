/** Which ids a host may register what under: an id is a name, and whoever registers could claim it for anything. */
import { DragonflyError } from '../core/errors.ts';
import { isSameContent, misnomer, type NamedContent } from '../core/task-name.ts';
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
