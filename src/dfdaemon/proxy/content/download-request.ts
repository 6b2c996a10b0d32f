/** Builds the engine's request for one client request: its headers take precedence, then the matching rule, then the configuration. */
import { defaultFilteredQueryParams } from '../../../core/net/signed-urls.ts';
import type { DownloadRequest } from '../../task/open-task.ts';
import { withOwnIdentity } from '../../task/own-identity.ts';
import type { ClientCall } from '../client-call.ts';
import { downloadHeader } from '../wire/header.ts';
import { registryPath } from '../registry/registry-path.ts';

export interface DownloadDefaults {
  readonly tag: string | undefined;
  readonly application: string | undefined;
  readonly priority: number | undefined;
  readonly filteredQueryParams: readonly string[];
  /** Query parameters that are always left out, whatever else is named. */
  readonly clusterFilteredQueryParams: readonly string[];
  readonly prefetch: boolean;
  readonly disableBackToSource: boolean;
  readonly blobDigestAsId: boolean;
}

/** @param ruleParams query parameters that the matching rule leaves out. */
export function downloadRequestFor(
  call: ClientCall,
  ruleParams: readonly string[] | undefined,
  defaults: DownloadDefaults,
): DownloadRequest {
  const { caller, options, url, header, trust } = call;
  const path = registryPath(url.pathname);
  const configured = [...(ruleParams ?? defaults.filteredQueryParams), ...defaults.clusterFilteredQueryParams];
  const named = options.filteredQueryParams ?? configured;
  const request: DownloadRequest = {
    caller,
    url: url.href,
    header: downloadHeader(header),
    caPem: trust.caPem,
    insecureSkipVerify: trust.insecureSkipVerify,
    digest: path?.kind === 'blob' ? path.reference : undefined,
    tag: options.tag ?? defaults.tag,
    application: options.application ?? defaults.application,
    priority: options.priority ?? defaults.priority,
    // the task has the same identity as a download by the command line, whose default list is always left out
    filteredQueryParams: [
      ...new Set([...named, ...defaults.clusterFilteredQueryParams, ...defaultFilteredQueryParams]),
    ],
    pieceLengthBytes: options.pieceLengthBytes,
    contentForCalculatingTaskId: options.contentForCalculatingTaskId,
    blobDigestAsId: options.blobDigestAsId ?? defaults.blobDigestAsId,
    prefetch: header['range'] === undefined ? false : (options.prefetch ?? defaults.prefetch),
    disableBackToSource: defaults.disableBackToSource,
    hasFallback: true,
  };
  return withOwnIdentity(request, { filteredQueryParams: configured, headers: false });
}
