/** English, and with it: which texts there are. */
import { access } from './access.ts';
import { common } from './common.ts';
import { distribution } from './distribution.ts';
import { history } from './history.ts';
import { infrastructure } from './infrastructure.ts';
import { nodes } from './nodes.ts';
import { releases } from './releases.ts';
import { system } from './system.ts';

export const en = {
  ...common,
  ...infrastructure,
  ...nodes,
  ...history,
  ...distribution,
  ...releases,
  ...access,
  ...system,
} as const;
