/** All steps from an empty database to the current schema, in order. Released steps never change. */
import { initial } from './001-initial.ts';
import { joinTokenRole } from './002-join-token-role.ts';
import { nodes } from './003-nodes.ts';
import { traffic } from './004-traffic.ts';
import { history } from './005-history.ts';
import { downloads } from './006-downloads.ts';
import { releases } from './007-releases.ts';
import { recordings } from './008-recordings.ts';
import { releaseHost } from './009-release-host.ts';
import { replication } from './010-replication.ts';
import { weeks } from './011-weeks.ts';
import { replicationTargets } from './012-replication-targets.ts';
import { ruleJobs } from './013-rule-jobs.ts';
import { comingPacks } from './014-coming-packs.ts';
import { renewedFrom } from './015-renewed-from.ts';
import type { TableMaker } from './columns.ts';

export const migrations: Readonly<Record<string, (make: TableMaker) => Promise<void>>> = {
  '001-initial': initial,
  '002-join-token-role': joinTokenRole,
  '003-nodes': nodes,
  '004-traffic': traffic,
  '005-history': history,
  '006-downloads': downloads,
  '007-releases': releases,
  '008-recordings': recordings,
  '009-release-host': releaseHost,
  '010-replication': replication,
  '011-weeks': weeks,
  '012-replication-targets': replicationTargets,
  '013-rule-jobs': ruleJobs,
  '014-coming-packs': comingPacks,
  '015-renewed-from': renewedFrom,
};
