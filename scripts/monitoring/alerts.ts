/** When somebody should look, and what he should look at. */

export interface Alert {
  readonly name: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: 'warning' | 'critical';
  readonly summary: string;
  /** What to do about it. */
  readonly description: string;
}

export const alerts: readonly Alert[] = [
  {
    name: 'DragonflyServiceDown',
    expr: 'up{job=~"dragonfly.*"} == 0',
    for: '5m',
    severity: 'critical',
    summary: '{{ $labels.job }} at {{ $labels.instance }} does not answer',
    description:
      'Look at the state and the log of the service. Nodes go on without a scheduler or manager: they fetch from the origin, and keep what they know.',
  },
  {
    name: 'DragonflyMemberInactive',
    expr: 'max by (kind, state) (dragonfly_manager_members{kind=~"scheduler|seed_peer", state="inactive"}) > 0',
    for: '2m',
    severity: 'warning',
    summary: '{{ $value }} members of the kind {{ $labels.kind }} are inactive',
    description: 'The console names them. One that is not coming back is forgotten after liveness.forgetAfter.',
  },
  {
    name: 'DragonflyNoScheduler',
    expr: 'sum(increase(dragonfly_manager_search_scheduler_cluster_failure_total[5m])) > 0',
    for: '5m',
    severity: 'critical',
    summary: 'daemons are told of no scheduler',
    description: 'No scheduler of their cluster is active: every node fetches for itself.',
  },
  {
    name: 'DragonflyDownloadsFail',
    expr: 'sum(rate(dragonfly_client_download_task_failure_total[5m])) / sum(rate(dragonfly_client_download_task_total[5m])) > 0.05',
    for: '5m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of the downloads fail',
    description:
      'dragonfly_dfdaemon_peer_task_failed_total tells whether at the source or among the peers; dragonfly doctor URL on a node tells why.',
  },
  {
    name: 'DragonflyOriginFails',
    expr: 'sum by (scheme) (rate(dragonfly_client_backend_request_failure_total[5m])) / sum by (scheme) (rate(dragonfly_client_backend_request_total[5m])) > 0.1',
    for: '2m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of the requests to {{ $labels.scheme }} origins fail',
    description: 'What nodes hold is still given. Look at the origin, and at the line to it.',
  },
  {
    name: 'DragonflyFallsBackToOrigin',
    expr: 'sum(rate(dragonfly_dfdaemon_proxy_fallback_total[5m])) / sum(rate(dragonfly_dfdaemon_proxy_request_total[5m])) > 0.05',
    for: '5m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of the requests of clients failed among the peers',
    description: 'Clients got their content from the origin itself. The label reason of the metric tells why.',
  },
  {
    name: 'DragonflyDiskFull',
    expr: 'dragonfly_client_disk_usage_space_total / dragonfly_client_disk_space_total > 0.95',
    for: '5m',
    severity: 'warning',
    summary: 'the disk of the store at {{ $labels.instance }} is {{ $value | humanizePercentage }} full',
    description:
      'The daemon removes content from storage.diskGCThresholdPercent on: something else fills the disk, or the threshold is above this.',
  },
  {
    name: 'DragonflyBufferMemoryFull',
    expr: 'dragonfly_dfdaemon_buffer_memory_bytes / dragonfly_dfdaemon_buffer_memory_limit_bytes > 0.95',
    for: '10m',
    severity: 'warning',
    summary: 'the memory for content ({{ $labels.use }}) at {{ $labels.instance }} is used up',
    description: 'Transfers wait for it. Raise bufferMemory where the node has memory to give.',
  },
  {
    name: 'DragonflySeedsFail',
    expr: 'sum(rate(dragonfly_scheduler_seed_download_total{result="failure"}[5m])) / sum(rate(dragonfly_scheduler_seed_download_total[5m])) > 0.1',
    for: '5m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of the downloads asked of seeds fail',
    description: 'Nodes go to the origin instead. Look at the seeds and their way to the origin.',
  },
  {
    name: 'DragonflyHostStruckOff',
    expr: 'increase(dragonfly_scheduler_hosts_struck_off_total[1h]) > 0',
    for: '0m',
    severity: 'critical',
    summary: 'a host gave or told what is not so, at {{ $labels.instance }}',
    description: 'The log of the scheduler names it: a broken disk or memory, or somebody who means harm.',
  },
  {
    name: 'DragonflySchedulerSlow',
    expr: 'histogram_quantile(0.99, sum by (le, instance) (rate(dragonfly_scheduler_decision_duration_seconds_bucket[5m]))) > 0.25',
    for: '10m',
    severity: 'warning',
    summary: 'the scheduler at {{ $labels.instance }} takes {{ $value | humanizeDuration }} for a decision',
    description: 'Give it a processor of its own, or the cluster another scheduler.',
  },
];
