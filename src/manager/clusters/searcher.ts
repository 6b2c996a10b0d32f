/**
 * Which cluster a daemon should join: clusters by descending score. Scopes are preferences, not filters, so that a
 * daemon without a match is still served. The weights are those of the original's version.
 */
import ipaddr from 'ipaddr.js';
import { compilePattern } from '../../core/pattern.ts';
import type { Scopes } from './types.ts';

interface SearchWeights {
  readonly cidr: number;
  readonly hostname: number;
  readonly idc: number;
  readonly location: number;
  readonly default: number;
}

export const searchWeights = {
  'v2.5': { cidr: 0.3, hostname: 0.3, idc: 0.25, location: 0.14, default: 0.01 },
  /** Knew no host names. */
  'v2.1.28': { cidr: 0.4, hostname: 0, idc: 0.35, location: 0.24, default: 0.01 },
} as const satisfies Record<string, SearchWeights>;

export type SearchVersion = keyof typeof searchWeights;

/** Number of leading location elements that count. */
const maxLocationElements = 5;

export interface Searcher {
  /** @returns the candidates, best first; equal scores by ascending id. */
  search<C extends SearchCandidate>(candidates: readonly C[], daemon: SearchingDaemon): C[];
}

export interface SearchCandidate {
  readonly id: number;
  readonly isDefault: boolean;
  readonly scopes: Scopes;
}

export interface SearchingDaemon {
  readonly ip: string;
  readonly hostname: string;
  readonly idc?: string | undefined;
  readonly location?: string | undefined;
}

export function weightedSearcher(version: SearchVersion = 'v2.5'): Searcher {
  return {
    search: (candidates, daemon) => {
      const scored = candidates.map((candidate) => ({ candidate, score: score(candidate, daemon, version) }));
      return scored
        .sort((a, b) => b.score - a.score || a.candidate.id - b.candidate.id)
        .map(({ candidate }) => candidate);
    },
  };
}

/** Between 0 and 1. */
export function score(candidate: SearchCandidate, daemon: SearchingDaemon, version: SearchVersion = 'v2.5'): number {
  const { scopes } = candidate;
  const weights: SearchWeights = searchWeights[version];
  return (
    weights.cidr * cidrScore(daemon.ip, scopes.cidrs) +
    weights.hostname * hostnameScore(daemon.hostname, scopes.hostnames) +
    weights.idc * idcScore(daemon.idc, scopes.idc) +
    weights.location * locationScore(daemon.location, scopes.location) +
    (candidate.isDefault ? weights.default : 0)
  );
}

function cidrScore(ip: string, cidrs: readonly string[]): number {
  if (!ipaddr.isValid(ip)) return 0;
  const address = ipaddr.process(ip); // turns v4-mapped v6 addresses into v4
  return cidrs.some((cidr) => ipaddr.isValidCIDR(cidr) && contains(ipaddr.parseCIDR(cidr), address)) ? 1 : 0;
}

function contains(range: ReturnType<typeof ipaddr.parseCIDR>, address: ReturnType<typeof ipaddr.process>): boolean {
  return range[0].kind() === address.kind() && address.match(range);
}

function hostnameScore(hostname: string, patterns: readonly string[]): number {
  // REST rejects patterns that do not compile; an older row with such a pattern matches nothing
  return patterns.some((pattern) => pattern !== '' && compilePattern(pattern)?.test(hostname)) ? 1 : 0;
}

function idcScore(daemon = '', cluster = ''): number {
  if (daemon === '' || cluster === '') return 0;
  const wanted = daemon.toLowerCase();
  const offered = cluster.toLowerCase();
  return wanted === offered || offered.split('|').includes(wanted) ? 1 : 0;
}

function locationScore(daemon = '', cluster = ''): number {
  if (daemon === '' || cluster === '') return 0;
  if (daemon.toLowerCase() === cluster.toLowerCase()) return 1;
  const here = daemon.toLowerCase().split('|').slice(0, maxLocationElements);
  const there = cluster.toLowerCase().split('|');
  const firstDifference = here.findIndex((element, index) => element !== there[index]);
  return (firstDifference === -1 ? here.length : firstDifference) / maxLocationElements;
}
