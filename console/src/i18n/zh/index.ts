import type { Dictionary } from '../text.ts';
import { access } from './access.ts';
import { common } from './common.ts';
import { distribution } from './distribution.ts';
import { history } from './history.ts';
import { infrastructure } from './infrastructure.ts';
import { nodes } from './nodes.ts';
import { releases } from './releases.ts';
import { system } from './system.ts';

export const zh: Dictionary = {
  ...common,
  ...infrastructure,
  ...nodes,
  ...history,
  ...distribution,
  ...releases,
  ...access,
  ...system,
};
