/**
 * Every bound by which PiecePicker and the parts of a download around it decide what is asked of whom, and when. Daemon,
 * simulator and the tests take their defaults from here.
 */
export interface PickerLimits {
  /** Upper bound on pieces in flight, `download.concurrentPieceCount`; RateGovernor finds out how many are useful. */
  readonly maxRunning: number;
  /** Requests sent and not yet answered with the first bytes. One: requesting more in parallel only splits the bandwidth. */
  readonly maxWaiting: number;
  /** A request without a first byte for this long no longer counts as one of those. */
  readonly answerMs: number;
  /** Requests in flight at one parent, whatever its rate × delay. */
  readonly maxPerParent: number;
  /** Rarest first among this many missing pieces ahead of a reader: 16 spreads pieces as well as all of them would, and still streams. */
  readonly readerWindow: number;
  /** The same without readers; bounds the work of one choice. */
  readonly scanWindow: number;
  /** A request this many times slower than expected gets a second one at another parent. */
  readonly hedgeFactor: number;
  /** No hedge before this. */
  readonly hedgeMinMs: number;
  /** Requests for one piece at the same time. */
  readonly maxCopies: number;
  /** Consecutive temporary failures after which a parent is set aside for `demoteMs`. */
  readonly failuresToDemote: number;
  readonly demoteMs: number;
  /** A parent that was busy is asked again after this, or when it announces that it has less to do. */
  readonly busyMs: number;
  /** How often one of the parents that announce they are busy is asked nevertheless: its link may have room for one more transfer. */
  readonly tryBusyMs: number;
  /** A parent below this share of the median rate only gets what no other parent has. */
  readonly slowShare: number;
  /** A parent farther away than the nearest by more than this (1: nothing in common) is far: it only gives pieces that no near one holds. */
  readonly nearSpan: number;
  /** How often announcements are handled while pieces are arriving. */
  readonly lookAgainMs: number;
  readonly parents: number;
  /** A parent that owes something and has been silent for this long is asked for a sign of life. */
  readonly quietMs: number;
  /** How long its answer may take, or longer where recent answers of any node took longer. */
  readonly lifeMs: number;
  readonly lifeMostMs: number;
  /** A check for that answer that runs later than this is repeated. */
  readonly lateMs: number;
}

export const defaultPickerLimits: PickerLimits = {
  maxRunning: 16,
  maxWaiting: 1,
  answerMs: 1000,
  maxPerParent: 4,
  readerWindow: 16,
  scanWindow: 1024,
  hedgeFactor: 4,
  hedgeMinMs: 200,
  maxCopies: 2,
  failuresToDemote: 3,
  demoteMs: 5000,
  busyMs: 50,
  tryBusyMs: 50,
  slowShare: 0.1,
  nearSpan: 0.3,
  lookAgainMs: 10,
  parents: 256,
  quietMs: 200,
  lifeMs: 700,
  lifeMostMs: 5000,
  lateMs: 50,
};
