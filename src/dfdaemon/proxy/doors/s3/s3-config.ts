/** `doors.s3` of dfget.yaml: the buckets that clients of S3 find on this node, where they are stored, and who may read them. */
import { z } from 'zod';
import { durationMs, section } from '../../../../core/config/config.ts';

const text = z.string().min(1);

export const s3BucketConfig = z
  .object({
    name: text.regex(/^[A-Za-z0-9][\w.-]{1,254}$/, 'is not a name of a bucket').describe('as clients call it'),
    bucket: text.optional().describe('its name at the store; by default the same'),
    scheme: z.enum(['s3', 'gs', 'oss', 'obs', 'cos', 'tos', 'ks3']).default('s3'),
    endpoint: text.optional().describe('of the store; by default that of the scheme, where it has one'),
    region: text.default('us-east-1'),
    pathStyle: z
      .boolean()
      .default(false)
      .describe('the bucket is in the path also at services that have it in the host'),
    accessKeyID: text.optional().describe("key this node shows the store; none: the store's public content"),
    secretKey: text.optional(),
    sessionToken: text.optional(),
    ownCredentials: z
      .boolean()
      .default(false)
      .describe("instead of a key, this daemon's own credentials, found as the SDKs of the store do"),
    anonymous: z.boolean().default(false).describe('programs of this machine may read without a key'),
    writable: z.boolean().default(false).describe('writes are passed on to the store'),
    keepWrites: z
      .boolean()
      .default(true)
      .describe(
        'what clients write through this node stays here, so that the first nodes that read it get it from this one',
      ),
    ttl: durationMs('10s').describe("how long the store's word about an object holds"),
    immutable: z.array(text).default([]).describe('prefixes of keys whose objects never change'),
  })
  .refine(
    ({ accessKeyID, secretKey }) => (accessKeyID === undefined) === (secretKey === undefined),
    'needs accessKeyID and secretKey, or neither',
  )
  .refine(
    ({ accessKeyID, ownCredentials }) => !(ownCredentials && accessKeyID !== undefined),
    'has a key and ownCredentials; one of them is enough',
  );

const client = z.object({
  accessKeyID: text,
  secretKey: text,
  buckets: z.array(text).default([]).describe('all when there are none'),
  prefixes: z.array(text).default([]).describe('of keys it may use; any when there are none'),
});

export const s3DoorConfig = section({
  enable: z.boolean().default(true).describe('clients of S3 find the buckets here; without buckets nothing listens'),
  tcpListen: section({
    port: z.int().min(0).max(65_535).default(65_004),
    listen: z.string().default('127.0.0.1'),
  }),
  unixListen: section({ socket: z.string().default('').describe('none when empty') }),
  buckets: z.array(s3BucketConfig).default([]),
  clients: z.array(client).default([]).describe('keys of those who may use them'),
});

export type S3DoorConfig = z.output<typeof s3DoorConfig>;
export type S3BucketConfig = z.output<typeof s3BucketConfig>;
export type S3ClientConfig = z.output<typeof client>;
