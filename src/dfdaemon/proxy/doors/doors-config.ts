/** The `doors` section of dfget.yaml: addresses of this node that stand for services people already use. */
import { z } from 'zod';
import { durationMs, section } from '../../../core/config/config.ts';
import { s3DoorConfig } from './s3/s3-config.ts';

export const doorsConfig = section({
  huggingface: section({
    enable: z
      .boolean()
      .default(true)
      .describe('clients with HF_ENDPOINT=http://<proxy>/hf get models, datasets and spaces by way of the peers'),
    endpoint: z
      .url({ protocol: /^https?$/ })
      .default('https://huggingface.co')
      .describe('hub behind it'),
    ttl: durationMs('1m').describe(
      "how long the hub's word about branches, tags and lists holds; about a commit it does for proxy.access.ttl",
    ),
    xet: z
      .enum(['off', 'native'])
      .default('off')
      .describe(
        'native: clients with hf_xet get files in chunks, and a new revision costs what is new in it; off: whole files, named by their SHA-256, for all clients alike',
      ),
    shareAnswers: z
      .boolean()
      .default(false)
      .describe(
        'nodes with certificates put a question to the hub once for all of them, and believe each other about the answer: for clusters in which every member is trusted; not where proxy.access.shareProofs is off',
      ),
  }),
  modelscope: section({
    enable: z
      .boolean()
      .default(true)
      .describe('clients with MODELSCOPE_ENDPOINT=http://<proxy>/ms get models and datasets by way of the peers'),
    endpoint: z
      .url({ protocol: /^https?$/ })
      .default('https://www.modelscope.cn')
      .describe('hub behind it'),
    ttl: durationMs('1m').describe("how long the hub's word about branches, tags and lists holds"),
    shareAnswers: z.boolean().default(false).describe('as for huggingface'),
  }),
  s3: s3DoorConfig,
});

export type DoorsConfig = z.output<typeof doorsConfig>;
