/** One finished piece, as reported to schedulers of the original. */
import { pieceSpan, type PieceLayout } from '../../../core/piece-layout.ts';
import { AnnouncePeerRequest } from '../../../../gen/scheduler/v2/scheduler.ts';

export interface FinishedReport {
  readonly number: number;
  readonly layout: PieceLayout | undefined;
  readonly length: number;
  /** Undefined for the origin. */
  readonly parentId: string | undefined;
  readonly costMs: number;
}

export function pieceReport(
  ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string },
  { number, layout, length, parentId, costMs }: FinishedReport,
): AnnouncePeerRequest {
  const piece = {
    number,
    ...(parentId !== undefined && { parentId }),
    offset: layout ? pieceSpan(layout, number).offset : 0,
    length,
    digest: '',
    trafficType: parentId === undefined ? (0 as const) : (1 as const),
    cost: { seconds: Math.floor(costMs / 1000), nanos: Math.floor((costMs % 1000) * 1e6) },
    createdAt: new Date(),
  };
  const name = parentId === undefined ? 'downloadPieceBackToSourceFinishedRequest' : 'downloadPieceFinishedRequest';
  return AnnouncePeerRequest.fromPartial({ ...ids, request: { $case: name, value: { piece } } });
}
