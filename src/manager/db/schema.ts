/**
 * Rows in the database. Times are milliseconds since 1970, booleans 0 or 1, `json` columns text: types that all three
 * engines store and return alike. Columns named `sealed_*` are encrypted (secrets.ts).
 */
import type { Generated } from 'kysely';
import type {
  DistributionTable,
  NodeDownloadTable,
  RecordingTable,
  TrafficShareTable,
  TrafficTable,
} from './history-schema.ts';
import type { ReplicationCopyTable, ReplicationRuleTable, ReplicationTagTable } from './replication-schema.ts';

interface Row {
  id: Generated<number>;
  created_at: number;
  updated_at: number;
}

type Json = string;
type Flag = 0 | 1;

export interface UserTable extends Row {
  name: string;
  email: string | null;
  encrypted_password: string;
  avatar: string;
  phone: string;
  state: string;
  location: string;
  bio: string;
  must_change_password: Flag;
  failed_signins: number;
  locked_until: number;
}

export interface SessionTable {
  /** SHA-256 of the token's id. */
  id: string;
  user_id: number;
  created_at: number;
  expires_at: number;
}

export interface CasbinRuleTable {
  id: Generated<number>;
  ptype: string;
  v0: string;
  v1: string;
  v2: string;
  v3: string;
  v4: string;
  v5: string;
}

export interface OauthTable extends Row {
  name: string;
  client_id: string;
  sealed_client_secret: string;
  redirect_url: string;
  issuer: string;
  bio: string;
}

export interface OauthIdentityTable {
  id: Generated<number>;
  provider: string;
  subject: string;
  user_id: number;
}

export interface PersonalAccessTokenTable extends Row {
  name: string;
  /** HMAC of the token; the token itself is not stored. */
  token_hash: string;
  scopes: Json;
  state: string;
  expired_at: number;
  bio: string;
  user_id: number;
}

export interface SchedulerClusterTable extends Row {
  name: string;
  bio: string;
  config: Json;
  client_config: Json;
  seed_client_config: Json;
  scopes: Json;
  is_default: Flag;
}

/** Columns common to schedulers and seed peers, which both send keep-alives. */
interface MemberColumns {
  host_name: string;
  ip: string;
  port: number;
  idc: string;
  location: string;
  state: string;
  last_keep_alive_at: number;
  /** Replica that serves the member's stream. */
  keep_alive_owner: string;
}

export interface SchedulerTable extends Row, MemberColumns {
  features: Json;
  config: Json;
  scheduler_cluster_id: number;
}

export interface SeedPeerClusterTable extends Row {
  name: string;
  bio: string;
  config: Json;
}

export interface SeedPeerTable extends Row, MemberColumns {
  type: string;
  download_port: number;
  object_storage_port: number;
  seed_peer_cluster_id: number;
}

export interface ClusterLinkTable {
  seed_peer_cluster_id: number;
  scheduler_cluster_id: number;
}

export interface PeerTable extends Row {
  host_name: string;
  type: string;
  idc: string;
  location: string;
  ip: string;
  port: number;
  download_port: number;
  proxy_port: number;
  object_storage_port: number;
  state: string;
  os: string;
  platform: string;
  platform_family: string;
  platform_version: string;
  kernel_version: string;
  git_version: string;
  git_commit: string;
  build_platform: string;
  scheduler_cluster_id: number;
}

export interface ApplicationTable extends Row {
  name: string;
  url: string;
  bio: string;
  priority: Json;
  user_id: number;
}

export interface ConfigTable extends Row {
  name: string;
  value: string;
  bio: string;
  user_id: number;
}

export interface JobTable extends Row {
  task_id: string;
  bio: string;
  type: string;
  state: string;
  /** The arguments without their secrets. */
  args: Json;
  /** As given, with secrets. */
  sealed_args: string;
  task_result: Json | null;
  user_id: number;
  lease_owner: string;
  lease_expires_at: number;
  attempt: number;
  cancel_requested: Flag;
  /** The rule of replication that made it; 0 for none. */
  rule_id: Generated<number>;
}

export interface JobSchedulerClusterTable {
  job_id: number;
  scheduler_cluster_id: number;
}

/** One unit of a job: the work of one node (or one scheduler) for one URL. */
export interface JobTaskTable extends Row {
  job_id: number;
  scheduler_cluster_id: number;
  host_id: string;
  hostname: string;
  ip: string;
  port: number;
  host_type: string;
  url: string;
  task_id: string;
  state: string;
  error: string;
  attempt: number;
  content_length: number;
  completed_length: number;
  /** Index in the job's list of items. */
  item: number;
  /** The node itself has confirmed that it has all of it. */
  verified: Flag;
}

export interface AuditTable extends Row {
  actor_type: string;
  actor_name: string;
  event_type: string;
  operation: string;
  operated_at: number;
  state: string;
  path: string;
  status_code: number;
  detail: Json;
}

export interface NodeTable extends Row {
  scheduler_cluster_id: number;
  host_id: string;
  state: string;
  since: number;
  /** All that is known of it. */
  record: Json;
}

/** A concern that somebody is taking care of. */
export interface AcknowledgementTable extends Row {
  /** SHA-256 of the concern's subject. */
  concern: string;
  since: number;
  user_name: string;
}

/** A notice of a concern that was sent to an address of the operator. */
export interface NoticeTable extends Row {
  url: string;
  concern: string;
  /** As it was told. */
  record: Json;
}

export interface LeaseTable {
  name: string;
  owner: string;
  expires_at: number;
}

export interface ChangeTable {
  id: Generated<number>;
  topic: string;
  entity_id: number;
  origin: string;
  created_at: number;
}

export interface CertificateTable {
  serial: string;
  subject: string;
  names: Json;
  kind: string;
  /** Serial number of the certificate that proved who asked; empty for a member that joined, and for rows from before this column. */
  renewed_from: string;
  created_at: number;
  expires_at: number;
  revoked_at: number;
}

export interface JoinTokenTable extends Row {
  name: string;
  token_hash: string;
  expired_at: number;
  bio: string;
  user_id: number;
  /** The role that it grants: any, peer, seed, scheduler. */
  role: string;
}

/** Generated keys of this installation. */
export interface SecretTable {
  name: string;
  sealed_value: string;
}

export interface ReleaseTable extends Row {
  name: string;
  version: string;
  content_digest: string;
  manifest_task_id: string;
  manifest_digest: string;
  content_length: number;
  new_length: number;
  file_count: number;
  replicas: number;
  task_ids: Json;
  /** `user@host`: the user as named by his node. */
  publisher: string;
  host_id: string;
  /** Empty for an unsigned version, as is the signature. */
  public_key: string;
  signature: string;
  expires_at: number;
}

export interface ReleaseSubscriberTable extends Row {
  name: string;
  /** SHA-256 of host and path. */
  target: string;
  host_id: string;
  path: string;
  version: string;
  state: string;
  error: string;
}

/** Content of a version that is being published. */
export interface ComingPackTable extends Row {
  name: string;
  version: string;
  task_id: string;
  host_id: string;
  /** Empty without a signature, as is that. */
  public_key: string;
  signature: string;
}

export interface Schema {
  user: UserTable;
  session: SessionTable;
  casbin_rule: CasbinRuleTable;
  oauth: OauthTable;
  oauth_identity: OauthIdentityTable;
  personal_access_token: PersonalAccessTokenTable;
  scheduler_cluster: SchedulerClusterTable;
  scheduler: SchedulerTable;
  seed_peer_cluster: SeedPeerClusterTable;
  seed_peer: SeedPeerTable;
  seed_peer_cluster_scheduler_cluster: ClusterLinkTable;
  peer: PeerTable;
  application: ApplicationTable;
  config: ConfigTable;
  job: JobTable;
  job_scheduler_cluster: JobSchedulerClusterTable;
  job_task: JobTaskTable;
  audit: AuditTable;
  node: NodeTable;
  acknowledgement: AcknowledgementTable;
  notice: NoticeTable;
  traffic: TrafficTable;
  traffic_share: TrafficShareTable;
  distribution: DistributionTable;
  node_download: NodeDownloadTable;
  recording: RecordingTable;
  lease: LeaseTable;
  change: ChangeTable;
  certificate: CertificateTable;
  join_token: JoinTokenTable;
  secret: SecretTable;
  release: ReleaseTable;
  release_subscriber: ReleaseSubscriberTable;
  coming_pack: ComingPackTable;
  replication_rule: ReplicationRuleTable;
  replication_tag: ReplicationTagTable;
  replication_copy: ReplicationCopyTable;
}
