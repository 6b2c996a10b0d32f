/** Decides which pushes are kept: those of content whose GET would be answered by the peers. */
import type { Logger } from '../../../core/process/logger.ts';
import type { PushedContent } from '../../imports/pushed-content.ts';
import { downloadRequestFor, type DownloadDefaults } from '../content/download-request.ts';
import type { TaskOpener } from '../content/task-answers.ts';
import type { ProxyConfig, ProxySettings } from '../proxy-config.ts';
import type { ProxyRules } from '../rules.ts';
import { Pushes } from './pushes.ts';

export interface PushParts {
  readonly config: ProxyConfig;
  readonly pushed?: PushedContent | undefined;
  readonly engine: TaskOpener;
  readonly logger: Logger;
}

/** Undefined: none are. */
export function openPushes(
  { config, pushed, engine, logger }: PushParts,
  {
    mirror,
    rules,
    defaults,
  }: {
    readonly mirror: ProxySettings['mirror'];
    readonly rules: ProxyRules;
    readonly defaults: DownloadDefaults;
  },
): Pushes | undefined {
  if (!pushed || !config.keepPushes) return undefined;
  return new Pushes({
    content: pushed,
    logger,
    manifestRequestFor: (call) => {
      const request = downloadRequestFor(call, undefined, defaults);
      return { taskId: engine.taskIdOf(request), request };
    },
    requestFor: (call, blob) => {
      const isMirror = call.kind === 'mirror';
      const verdict = !isMirror || mirror.useRules ? rules.match(blob) : undefined;
      const wanted = call.options.usePeers ?? (verdict?.peers === true || (isMirror && !mirror.useRules));
      if (!wanted || (isMirror && mirror.direct)) return undefined;
      const request = downloadRequestFor({ ...call, url: blob }, verdict?.filteredQueryParams, defaults);
      return { taskId: engine.taskIdOf(request), request };
    },
  });
}
