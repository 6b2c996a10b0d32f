/** `objectStorage` of dfget.yaml, as dfdaemon 2.1 has it; the stores are those of `doors.s3`. */
import { z } from 'zod';
import { ignored, noted, section } from '../../../../../core/config/config.ts';

export const gatewayConfig = section({
  enable: z
    .boolean()
    .default(false)
    .describe(
      'programs of this machine have the object gateway of dfdaemon 2.1, without keys, on the port and with the buckets of doors.s3',
    ),
  filter: ignored,
  maxReplicas: ignored,
  tcpListen: noted,
  security: ignored,
});
