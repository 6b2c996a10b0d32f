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
  /** Rarest first among the next so many missing pieces ahead of a reader: 16 spreads as well as all of them, and still streams. */
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
  /** One of the parents that say they are busy is asked all the same, so often: its line may have room for one more. */
  readonly tryBusyMs: number;
  /** A parent below this share of the median rate only gets what no other parent has. */
  readonly slowShare: number;
  /** A parent further away than the nearest by more than this (of 1, nothing in common) is far: it gives only what none of the near ones holds. */
  readonly nearSpan: number;
  /** While a download has pieces coming in, announcements are heeded so often. */
  readonly lookAgainMs: number;
  readonly parents: number;
  /** A parent that owes something and has said nothing for so long is asked whether it is there. */
  readonly quietMs: number;
  /** So long it may take to answer, or longer where answers took long before, from whomever. */
  readonly lifeMs: number;
  readonly lifeMostMs: number;
  /** A look for that answer which is later than this is made again. */
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
