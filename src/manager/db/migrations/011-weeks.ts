import { sql } from 'kysely';
import type { TableMaker } from './columns.ts';

/** Adds weekly sums, computed from days: sums over a year then read a fifth of the rows. */
export async function weeks(make: TableMaker): Promise<void> {
  const weekMs = sql.lit(7 * 86_400_000);
  // MySQL commits each statement, so an interrupted run starts over.
  await make.run(sql`delete from traffic_share where span = 'week'`);
  await make.run(sql`insert into traffic_share (scheduler_cluster_id, kind, span, at, name, origin_bytes, peer_bytes, given_bytes,
    downloads, failures)
    select scheduler_cluster_id, kind, 'week', at - at % ${weekMs}, name, sum(origin_bytes), sum(peer_bytes), sum(given_bytes),
      sum(downloads), sum(failures)
    from traffic_share where span = 'day' group by scheduler_cluster_id, kind, at - at % ${weekMs}, name`);
}
