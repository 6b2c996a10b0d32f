/** Answers of `/traffic/…` about the past. */
import { z } from 'zod';

const count = z.int().min(0);
const figures = {
  origin_bytes: count,
  peer_bytes: count.describe('saved: the origin would have sent them'),
  given_bytes: count.describe('a node’s: what it gave to others'),
  downloads: count.describe('that were finished'),
  failures: count.describe('downloads; a node’s: also pieces it failed to give; an origin’s: its own'),
};
export const figuresSchema = z.object(figures).meta({ id: 'TrafficFigures' });
export const shareSchema = z
  .object({
    name: z.string().describe('empty for downloads that have none; * for all that are too many to be kept apart'),
    ...figures,
    before: figuresSchema.describe('in the time as long before'),
  })
  .meta({ id: 'TrafficShare' });
export const sharesSchema = z
  .object({
    from_ms: count,
    to_ms: count,
    total: figuresSchema,
    before: figuresSchema,
    shares: z.array(shareSchema).describe('the largest first'),
  })
  .meta({ id: 'TrafficShares' });
export const shareStepSchema = z
  .object({ scheduler_cluster_id: z.int(), at_ms: count, ...figures })
  .meta({ id: 'TrafficShareStep' });
export const distributionSchema = z
  .object({
    id: z.int(),
    scheduler_cluster_id: z.int(),
    task_id: z.string(),
    url: z.string(),
    tag: z.string(),
    application: z.string(),
    content_length: count.describe('0 while unknown'),
    started_at_ms: count,
    ended_at_ms: count.describe('when the last node had it'),
    downloads: count,
    failures: count,
    origin_bytes: count,
    peer_bytes: count,
    last_node: z.string().describe('that finished last'),
    slowest_ms: count.describe('time of the download that took longest'),
    median_ms: count,
    copies: z.number().min(0).describe('that the origin sent; 0 while the length is unknown'),
  })
  .meta({ id: 'Distribution' });
export const listedDistributionSchema = distributionSchema
  .extend({ recorded: z.boolean().describe('it can be watched again') })
  .meta({ id: 'ListedDistribution' });
export const recordingSchema = z
  .object({
    distribution: distributionSchema,
    piece_length: count.describe('0 when it was not known any more, as the count'),
    piece_count: count,
    step_ms: count.describe('moves within one step are not told apart'),
    peers: z
      .array(
        z.object({
          host_name: z.string(),
          ip: z.string(),
          idc: z.string(),
          type: z.string().describe('seed or normal'),
          began_ms: count,
          ended_ms: count.describe('0 when it never ended'),
          failed: z.boolean(),
          held_before: z.boolean().describe('it held what it gave before the distribution began'),
        }),
      )
      .describe('times are milliseconds since the distribution began'),
    moves: z
      .array(count)
      .describe(
        'four numbers each, in order of time: the step, the index of who got pieces, 0 for the origin or the index of who gave them plus one, and how many',
      ),
  })
  .meta({ id: 'Recording' });
export const hotTaskSchema = z
  .object({
    task_id: z.string(),
    url: z.string(),
    tag: z.string(),
    application: z.string(),
    distributions: count,
    downloads: count,
    failures: count,
    origin_bytes: count,
    peer_bytes: count,
    content_length: count,
    last_ms: count.describe('when it was asked for last'),
  })
  .meta({ id: 'HotTask' });
export const reportSchema = z
  .object({
    month: z.string(),
    from_ms: count,
    to_ms: count,
    total: figuresSchema,
    before: figuresSchema.describe('in the month before'),
    applications: z.array(shareSchema),
    zones: z.array(shareSchema),
    nodes: z.array(shareSchema).describe('that gave most'),
    dragging: z.array(shareSchema).describe('nodes that failed most often'),
    origins: z.array(shareSchema),
    failing_origins: z.array(shareSchema),
    tasks: z.array(hotTaskSchema),
    slowest: z.array(distributionSchema),
  })
  .meta({ id: 'TrafficReport' });
