import { sql } from 'kysely';
import { integer, type TableMaker } from './columns.ts';

/** A job says which rule of replication made it, since that decides who sees it. Those there are say it in their description. */
export async function ruleJobs(make: TableMaker): Promise<void> {
  await make.add('job', integer('rule_id'), 0);
  await make.run(sql`
    update job set rule_id = coalesce(
      (select min(replication_rule.id) from replication_rule where concat('replication ', replication_rule.name) = job.bio), 0)
    where type = 'preheat' and bio like 'replication %'`);
}
