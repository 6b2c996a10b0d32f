/** Assembles the parts of a swarm and connects them. */
import { Claims } from './claims.ts';
import { Deadlines } from '../shared/deadlines.ts';
import { DigestDesk } from './digest-desk.ts';
import { evaluators } from './evaluator.ts';
import { Liars } from './liars.ts';
import type { SwarmLimits } from './limits.ts';
import { Matchmaker } from './matchmaker.ts';
import { Membership } from './membership.ts';
import { OriginDesk } from './origin/origin-desk.ts';
import { OriginFailures } from './origin/origin-failures.ts';
import { Outbox } from './outbox.ts';
import type { Task } from './records.ts';
import { Refusals } from './refusals.ts';
import { Roster } from './roster.ts';
import { Settlement } from './settlement.ts';
import type { SwarmOptions } from './swarm-options.ts';
import { Upkeep } from './upkeep.ts';

export interface SwarmParts {
  readonly out: Outbox;
  readonly wakes: Deadlines<Task>;
  readonly roster: Roster;
  readonly matchmaker: Matchmaker;
  readonly origin: OriginDesk;
  readonly membership: Membership;
  readonly settlement: Settlement;
  readonly refusals: Refusals;
  readonly failures: OriginFailures;
  readonly digests: DigestDesk;
  readonly claims: Claims;
  readonly liars: Liars;
  readonly upkeep: Upkeep;
}

export function swarmParts(options: SwarmOptions, limits: SwarmLimits): SwarmParts {
  const out = new Outbox();
  const wakes = new Deadlines<Task>();
  const roster = new Roster(limits);
  const { random, mode = 'swarm' } = options;
  const evaluate = evaluators[options.evaluator ?? 'measured'];
  const wakeAt = (task: Task, atMs: number): void => wakes.add(atMs, task);
  const matchmaker = new Matchmaker({ mode, limits, evaluate, random, out });
  const lied = (hostId: string, against: readonly string[], nowMs: number): void =>
    liars.toldFalseDigest(hostId, against, nowMs);
  const digests = new DigestDesk({
    limits,
    random,
    out,
    lied,
    confirmed: (doubt, nowMs) => liars.confirmed(doubt, nowMs),
    wakeAt,
  });
  const origin = new OriginDesk({
    limits,
    out,
    seedsFor: (task) => membership.seedsFor(task),
    rootChanged: (peer, nowMs) => membership.lookAgain(peer, nowMs),
    fellSilent: (peer) => membership.fellSilent(peer),
    wakeAt,
    leaseGiven: (holder) => digests.leaseGiven(holder),
  });
  const startedAtMs = options.startedAtMs ?? Number.NEGATIVE_INFINITY;
  const membership: Membership = new Membership({ limits, roster, matchmaker, origin, out, wakes, startedAtMs });
  const liars: Liars = new Liars({ limits, roster, out, membership, digests });
  const refusals = new Refusals({ out, membership, waitMs: limits.waitMs });
  return {
    out,
    wakes,
    roster,
    matchmaker,
    origin,
    membership,
    digests,
    liars,
    refusals,
    settlement: new Settlement({ limits, out, matchmaker, origin, refusals, wakes }),
    failures: new OriginFailures({ limits, origin, refusals }),
    claims: new Claims(limits, membership, digests),
    upkeep: new Upkeep({ limits, roster, matchmaker, origin, membership, digests }),
  };
}
