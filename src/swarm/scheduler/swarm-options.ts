import type { EvaluatorName } from './evaluator.ts';
import type { SwarmLimits } from './limits.ts';
import type { SwarmMode } from './matchmaker.ts';
import type { Random } from '../shared/random.ts';

export interface SwarmOptions {
  readonly random: Random;
  readonly limits?: Partial<SwarmLimits>;
  readonly mode?: SwarmMode;
  readonly evaluator?: EvaluatorName;
  /** When this scheduler started: shortly afterwards, running downloads are coming back. */
  readonly startedAtMs?: number;
}
