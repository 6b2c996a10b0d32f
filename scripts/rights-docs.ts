/** The tables of rights in docs/security.md, from the tables that the ports go by. */
import { readFileSync } from 'node:fs';
import { uploadAccess } from '../src/dfdaemon/rpc/upload-access.ts';
import { managerAccess, releaseAccess, watchAccess } from '../src/manager/rpc/manager-access.ts';
import type { CallerRole } from '../src/rpc/rights.ts';
import { liveAccess, schedulerAccess } from '../src/scheduler/scheduler-access.ts';

const columns: readonly CallerRole[] = ['stranger', 'neighbour', 'peer', 'seed', 'scheduler', 'manager'];
const ports: readonly [string, Readonly<Record<string, readonly CallerRole[] | undefined>>][] = [
  ['dfdaemon, port for other nodes (65000)', uploadAccess],
  ['scheduler (8002)', { ...schedulerAccess, ...liveAccess }],
  ['manager, gRPC (65003)', { ...managerAccess, ...watchAccess, ...releaseAccess }],
];
const [begin, end] = ['<!-- rights: written by npm run docs -->', '<!-- end of rights -->'];

/** docs/security.md with its tables as the code has them. */
export function securityDocs(): string {
  const text = readFileSync(new URL('../docs/security.md', import.meta.url), 'utf8');
  const [before = '', rest = ''] = text.split(begin);
  const [, after = ''] = rest.split(end);
  return `${before}${begin}\n\n${ports.map(table).join('\n')}\n${end}${after}`;
}

function table([title, access]: (typeof ports)[number]): string {
  const rows = Object.entries(access).map(([method, roles = []]) => [
    method,
    ...columns.map((role) =>
      roles.includes(role) || (role === 'neighbour' && roles.includes('stranger')) ? 'yes' : '',
    ),
  ]);
  const all = [[title, ...columns], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`;
  const [head = [], ...body] = all;
  return `${line(head)}${line(widths.map((width) => '-'.repeat(width)))}${body.map(line).join('')}`;
}
