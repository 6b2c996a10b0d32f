/** What the dashboards show: one query or several a panel, all over the metrics of docs/metrics.md. */

export interface Panel {
  readonly title: string;
  /** What a reader should make of it. */
  readonly description?: string;
  readonly unit: 'bytes' | 'Bps' | 'short' | 'percentunit' | 's' | 'ms' | 'reqps';
  /** Legend → query. */
  readonly queries: Readonly<Record<string, string>>;
  readonly stacked?: boolean;
}

export interface Dashboard {
  readonly name: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Of each second, over the time that Grafana finds fit for the width of the panel. */
const rate = (metric: string): string => `rate(${metric}[$__rate_interval])`;
const sumRate = (metric: string, by = ''): string => `sum${by && ` by (${by})`} (${rate(metric)})`;
const quantile = (share: number, metric: string, by = ''): string =>
  `histogram_quantile(${share}, sum by (le${by && `, ${by}`}) (${rate(`${metric}_bucket`)}))`;
/** Zero rather than nothing where nothing has failed yet. */
const share = (part: string, whole: string): string =>
  `(sum(${rate(part)}) or vector(0)) / clamp_min(sum(${rate(whole)}), 1e-9)`;
const resources = (service: string): readonly Panel[] => [
  {
    title: 'Processor',
    unit: 'short',
    queries: { '{{instance}}': `rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) ${service}` },
  },
  {
    title: 'Memory',
    unit: 'bytes',
    queries: { '{{instance}}': `process_resident_memory_bytes and on (instance) ${service}` },
  },
  { title: 'Open files', unit: 'short', queries: { '{{instance}}': `process_open_fds and on (instance) ${service}` } },
  {
    title: 'Lag of the event loop, 99 of 100',
    unit: 's',
    queries: { '{{instance}}': `nodejs_eventloop_lag_p99_seconds and on (instance) ${service}` },
  },
];

const overview: Dashboard = {
  name: 'overview',
  title: 'Dragonfly / overview',
  panels: [
    {
      title: 'Where downloads came from',
      description: 'What came from peers did not have to come from an origin.',
      unit: 'Bps',
      stacked: true,
      queries: { '{{type}}': sumRate('dragonfly_dfdaemon_download_traffic', 'type') },
    },
    {
      title: 'Share of bytes that no origin sent',
      unit: 'percentunit',
      queries: {
        peers: `1 - sum(${rate('dragonfly_dfdaemon_download_traffic{type="back_to_source"}')}) / clamp_min(sum(${rate('dragonfly_dfdaemon_download_traffic')}), 1e-9)`,
      },
    },
    {
      title: 'Traffic between nodes by zone',
      description: 'Within the same IDC and across; what crosses is what scheduler.crossZonePeers bounds.',
      unit: 'Bps',
      stacked: true,
      queries: { '{{zone}}': sumRate('dragonfly_dfdaemon_parent_traffic', 'zone') },
    },
    {
      title: 'Parents that gave most',
      unit: 'Bps',
      queries: { '{{parent}}': `topk(10, ${sumRate('dragonfly_dfdaemon_parent_traffic', 'parent')})` },
    },
    {
      title: 'Downloads',
      unit: 'reqps',
      queries: {
        finished: sumRate('dragonfly_dfdaemon_peer_task_total'),
        failed: sumRate('dragonfly_dfdaemon_peer_task_failed_total'),
      },
    },
    {
      title: 'Duration of downloads',
      unit: 'ms',
      queries: {
        '50 of 100': quantile(0.5, 'dragonfly_dfdaemon_download_task_duration_milliseconds'),
        '99 of 100': quantile(0.99, 'dragonfly_dfdaemon_download_task_duration_milliseconds'),
      },
    },
    {
      title: 'Members',
      unit: 'short',
      queries: { '{{kind}} {{state}}': 'sum by (kind, state) (dragonfly_manager_members)' },
    },
    {
      title: 'Hosts, tasks, peers',
      unit: 'short',
      queries: {
        hosts: 'sum(dragonfly_scheduler_hosts)',
        tasks: 'sum(dragonfly_scheduler_tasks)',
        peers: 'sum(dragonfly_scheduler_peers)',
      },
    },
    { title: 'Services that answer', unit: 'short', queries: { '{{job}}': 'sum by (job) (up)' } },
  ],
};

const daemons: Dashboard = {
  name: 'daemons',
  title: 'Dragonfly / daemons and seed peers',
  panels: [
    {
      title: 'Received',
      unit: 'Bps',
      queries: { '{{instance}} {{type}}': sumRate('dragonfly_dfdaemon_download_traffic', 'instance, type') },
    },
    {
      title: 'Given to other nodes',
      unit: 'Bps',
      queries: { '{{instance}}': sumRate('dragonfly_dfdaemon_upload_traffic', 'instance') },
    },
    {
      title: 'Downloads that run',
      unit: 'short',
      queries: { '{{instance}}': 'dragonfly_dfdaemon_concurrent_download_task_total' },
    },
    {
      title: 'Share of downloads that failed',
      unit: 'percentunit',
      queries: {
        failed: share('dragonfly_client_download_task_failure_total', 'dragonfly_client_download_task_total'),
      },
    },
    {
      title: 'Duration by size, 95 of 100',
      unit: 'ms',
      queries: {
        'class {{task_size_level}}': quantile(
          0.95,
          'dragonfly_client_download_task_duration_milliseconds',
          'task_size_level',
        ),
      },
    },
    {
      title: 'Answered from the own store',
      unit: 'reqps',
      queries: { '{{instance}}': sumRate('dragonfly_dfdaemon_peer_task_cache_hit_total', 'instance') },
    },
    {
      title: 'Pieces asked for again',
      unit: 'reqps',
      queries: { '{{instance}}': sumRate('dragonfly_dfdaemon_piece_task_failed_total', 'instance') },
    },
    {
      title: 'Requests of clients',
      unit: 'reqps',
      queries: {
        'by the peers': sumRate('dragonfly_client_proxy_request_via_dfdaemon_total'),
        'by the origin': sumRate('dragonfly_dfdaemon_proxy_request_not_via_dragonfly_total'),
        tunnelled: sumRate('dragonfly_dfdaemon_proxy_request_tunnel_total'),
        failed: sumRate('dragonfly_client_proxy_request_failure_total'),
      },
    },
    {
      title: 'Time to the first byte, 95 of 100',
      unit: 's',
      queries: { '{{way}}': quantile(0.95, 'dragonfly_dfdaemon_proxy_first_byte_seconds', 'way') },
    },
    {
      title: 'Bytes to clients by where they came from',
      unit: 'Bps',
      stacked: true,
      queries: { '{{source}}': sumRate('dragonfly_dfdaemon_proxy_source_bytes_total', 'source') },
    },
    {
      title: 'Fell back to the origin',
      unit: 'reqps',
      queries: { '{{reason}}': `${sumRate('dragonfly_dfdaemon_proxy_fallback_total', 'reason')} or vector(0)` },
    },
    {
      title: 'Requests to origins',
      unit: 'reqps',
      queries: {
        '{{scheme}} {{method}}': sumRate('dragonfly_client_backend_request_total', 'scheme, method'),
        'failed {{scheme}}': sumRate('dragonfly_client_backend_request_failure_total', 'scheme'),
      },
    },
    {
      title: 'Until an origin answers, 95 of 100',
      unit: 'ms',
      queries: { '{{scheme}}': quantile(0.95, 'dragonfly_client_backend_request_duration_milliseconds', 'scheme') },
    },
    {
      title: 'Use of the disk',
      unit: 'percentunit',
      queries: {
        '{{instance}}': 'topk(10, dragonfly_client_disk_usage_space_total / dragonfly_client_disk_space_total)',
      },
    },
    {
      title: 'Memory of content on its way',
      unit: 'percentunit',
      queries: {
        '{{instance}} {{use}}':
          'topk(10, dragonfly_dfdaemon_buffer_memory_bytes / dragonfly_dfdaemon_buffer_memory_limit_bytes)',
      },
    },
    {
      title: 'Seeds: from the origin and from peers',
      unit: 'Bps',
      queries: { '{{instance}} {{type}}': sumRate('dragonfly_dfdaemon_seed_peer_download_traffic', 'instance, type') },
    },
    {
      title: 'Seeds: downloads',
      unit: 'reqps',
      queries: {
        finished: sumRate('dragonfly_dfdaemon_seed_peer_download_total'),
        failed: sumRate('dragonfly_dfdaemon_seed_peer_download_failure_total'),
      },
    },
    {
      title: 'Prefetches',
      unit: 'reqps',
      queries: {
        begun: `${sumRate('dragonfly_client_prefetch_task_total')} or vector(0)`,
        failed: `${sumRate('dragonfly_client_prefetch_task_failure_total')} or vector(0)`,
      },
    },
    ...resources('dragonfly_client_version'),
  ],
};

const scheduler: Dashboard = {
  name: 'scheduler',
  title: 'Dragonfly / scheduler',
  panels: [
    { title: 'Hosts', unit: 'short', queries: { '{{instance}}': 'dragonfly_scheduler_hosts' } },
    {
      title: 'Tasks and peers',
      unit: 'short',
      queries: { 'tasks {{instance}}': 'dragonfly_scheduler_tasks', 'peers {{instance}}': 'dragonfly_scheduler_peers' },
    },
    {
      title: 'Open streams',
      unit: 'short',
      queries: { '{{instance}}': 'dragonfly_scheduler_concurrent_schedule_total' },
    },
    {
      title: 'Registrations',
      unit: 'reqps',
      queries: {
        peers: sumRate('dragonfly_scheduler_register_peer_total'),
        refused: `${sumRate('dragonfly_scheduler_register_peer_failure_total')} or vector(0)`,
      },
    },
    {
      title: 'Downloads',
      unit: 'reqps',
      queries: {
        finished: sumRate('dragonfly_scheduler_download_peer_finished_total'),
        failed: `${sumRate('dragonfly_scheduler_download_peer_finished_failure_total')} or vector(0)`,
        'at the origin': sumRate('dragonfly_scheduler_download_peer_back_to_source_started_total'),
      },
    },
    {
      title: 'Traffic by where it came from',
      unit: 'Bps',
      stacked: true,
      queries: { '{{type}}': sumRate('dragonfly_scheduler_traffic', 'type') },
    },
    {
      title: 'Time of one decision, 99 of 100',
      unit: 's',
      queries: { '{{instance}}': quantile(0.99, 'dragonfly_scheduler_decision_duration_seconds', 'instance') },
    },
    {
      title: 'Until a peer has parents',
      unit: 'ms',
      queries: { '{{quantile}} {{instance}}': 'dragonfly_scheduler_schedule_duration_milliseconds' },
    },
    {
      title: 'Downloads asked of seeds',
      unit: 'reqps',
      queries: { '{{result}}': `${sumRate('dragonfly_scheduler_seed_download_total', 'result')} or vector(0)` },
    },
    {
      title: 'Hosts struck off',
      unit: 'short',
      queries: { '{{instance}}': 'increase(dragonfly_scheduler_hosts_struck_off_total[1h])' },
    },
    {
      title: 'Calls by outcome',
      unit: 'reqps',
      queries: {
        '{{grpc_method}} {{grpc_code}}':
          'topk(10, sum by (grpc_method, grpc_code) (rate(grpc_server_handled_total[$__rate_interval])))',
      },
    },
    ...resources('dragonfly_scheduler_version'),
  ],
};

const manager: Dashboard = {
  name: 'manager',
  title: 'Dragonfly / manager',
  panels: [
    {
      title: 'Members',
      unit: 'short',
      queries: { '{{kind}} {{state}}': 'max by (kind, state) (dragonfly_manager_members)' },
    },
    { title: 'Jobs', unit: 'short', queries: { '{{state}}': 'max by (state) (dragonfly_manager_jobs) or vector(0)' } },
    {
      title: 'Jobs asked for',
      unit: 'reqps',
      queries: { '{{name}}': `${sumRate('dragonfly_manager_create_job_total', 'name')} or vector(0)` },
    },
    { title: 'Requests', unit: 'reqps', queries: { '{{code}}': sumRate('dragonfly_manager_requests_total', 'code') } },
    {
      title: 'Time of requests, 95 of 100',
      unit: 's',
      queries: {
        '{{handler}}': `topk(10, ${quantile(0.95, 'dragonfly_manager_request_duration_seconds', 'handler')})`,
      },
    },
    {
      title: 'Refused since they came too fast',
      unit: 'reqps',
      queries: { '{{what}}': `${sumRate('dragonfly_manager_rate_limited_total', 'what')} or vector(0)` },
    },
    {
      title: 'Daemons that asked for their schedulers',
      unit: 'reqps',
      queries: {
        asked: sumRate('dragonfly_manager_search_scheduler_cluster_total'),
        'none was active': `${sumRate('dragonfly_manager_search_scheduler_cluster_failure_total')} or vector(0)`,
      },
    },
    ...resources('dragonfly_manager_version'),
  ],
};

export const dashboards: readonly Dashboard[] = [overview, daemons, scheduler, manager];
