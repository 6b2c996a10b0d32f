import { integer, long, text, type TableMaker } from './columns.ts';

export async function initial(make: TableMaker): Promise<void> {
  await users(make);
  await clusters(make);
  await jobs(make);
  await bookkeeping(make);
}

async function users(make: TableMaker): Promise<void> {
  await make.create('user', [
    text('name'),
    text('email', 255, { nullable: true }),
    text('encrypted_password'),
    text('avatar', 1024),
    text('phone'),
    text('state', 32),
    text('location', 1024),
    text('bio', 1024),
    integer('must_change_password'),
    integer('failed_signins'),
    integer('locked_until'),
  ]);
  await make.unique('user', ['name']);
  await make.unique('user', ['email']);
  await make.create('session', [text('id', 64), integer('user_id'), integer('created_at'), integer('expires_at')], {
    stamped: false,
    id: false,
  });
  await make.unique('session', ['id']);
  await make.index('session', ['user_id']);
  const rule = ['ptype', 'v0', 'v1', 'v2', 'v3', 'v4', 'v5'];
  await make.create(
    'casbin_rule',
    rule.map((name) => text(name, 100)),
    { stamped: false },
  );
  await make.unique('casbin_rule', rule);
  await make.create('oauth', [
    text('name'),
    text('client_id'),
    long('sealed_client_secret'),
    text('redirect_url', 1024),
    text('issuer', 1024),
    text('bio', 1024),
  ]);
  await make.unique('oauth', ['name']);
  await make.unique('oauth', ['client_id']);
  await make.create('oauth_identity', [text('provider'), text('subject'), integer('user_id')], { stamped: false });
  await make.unique('oauth_identity', ['provider', 'subject']);
  await make.create('personal_access_token', [
    text('name'),
    text('token_hash', 64),
    long('scopes'),
    text('state', 32),
    integer('expired_at'),
    text('bio', 1024),
    integer('user_id'),
  ]);
  await make.unique('personal_access_token', ['name']);
  await make.unique('personal_access_token', ['token_hash']);
}

async function clusters(make: TableMaker): Promise<void> {
  const member = [
    text('host_name'),
    text('ip', 64),
    integer('port'),
    text('idc', 1024),
    text('location', 1024),
    text('state', 32),
    integer('last_keep_alive_at'),
    text('keep_alive_owner', 64),
  ];
  await make.create('scheduler_cluster', [
    text('name'),
    text('bio', 1024),
    long('config'),
    long('client_config'),
    long('seed_client_config'),
    long('scopes'),
    integer('is_default'),
  ]);
  await make.unique('scheduler_cluster', ['name']);
  await make.create('scheduler', [...member, long('features'), long('config'), integer('scheduler_cluster_id')]);
  await make.unique('scheduler', ['host_name', 'ip', 'scheduler_cluster_id']);
  await make.index('scheduler', ['scheduler_cluster_id', 'state']);
  await make.create('seed_peer_cluster', [text('name'), text('bio', 1024), long('config')]);
  await make.unique('seed_peer_cluster', ['name']);
  await make.create('seed_peer', [
    ...member,
    text('type', 32),
    integer('download_port'),
    integer('object_storage_port'),
    integer('seed_peer_cluster_id'),
  ]);
  await make.unique('seed_peer', ['host_name', 'ip', 'seed_peer_cluster_id']);
  await make.index('seed_peer', ['seed_peer_cluster_id', 'state']);
  const link = ['seed_peer_cluster_id', 'scheduler_cluster_id'];
  await make.create(
    'seed_peer_cluster_scheduler_cluster',
    link.map((name) => integer(name)),
    { stamped: false, id: false },
  );
  await make.unique('seed_peer_cluster_scheduler_cluster', link);
  const peerTexts = ['os', 'platform', 'platform_family', 'platform_version', 'kernel_version'];
  await make.create('peer', [
    text('host_name'),
    text('type', 32),
    text('idc', 1024),
    text('location', 1024),
    text('ip', 64),
    integer('port'),
    integer('download_port'),
    integer('proxy_port'),
    integer('object_storage_port'),
    text('state', 32),
    ...[...peerTexts, 'git_version', 'git_commit', 'build_platform'].map((name) => text(name)),
    integer('scheduler_cluster_id'),
  ]);
  await make.unique('peer', ['host_name', 'ip', 'scheduler_cluster_id']);
  await make.create('application', [
    text('name'),
    text('url', 1024),
    text('bio', 1024),
    long('priority'),
    integer('user_id'),
  ]);
  await make.unique('application', ['name']);
  await make.create('config', [text('name'), text('value', 1024), text('bio', 1024), integer('user_id')]);
  await make.unique('config', ['name']);
}

async function jobs(make: TableMaker): Promise<void> {
  await make.create('job', [
    text('task_id'),
    text('bio', 1024),
    text('type', 64),
    text('state', 32),
    long('args'),
    long('sealed_args'),
    long('task_result', { nullable: true }),
    integer('user_id'),
    text('lease_owner', 64),
    integer('lease_expires_at'),
    integer('attempt'),
    integer('cancel_requested'),
  ]);
  await make.index('job', ['state', 'lease_expires_at']);
  await make.index('job', ['created_at']);
  const cluster = ['job_id', 'scheduler_cluster_id'];
  await make.create(
    'job_scheduler_cluster',
    cluster.map((name) => integer(name)),
    { stamped: false, id: false },
  );
  await make.unique('job_scheduler_cluster', cluster);
  await make.create('job_task', [
    integer('job_id'),
    integer('scheduler_cluster_id'),
    text('host_id', 512),
    text('hostname'),
    text('ip', 64),
    integer('port'),
    text('host_type', 32),
    long('url'),
    text('task_id'),
    text('state', 32),
    long('error'),
    integer('attempt'),
    integer('content_length'),
    integer('completed_length'),
    integer('item'),
    integer('verified'),
  ]);
  await make.index('job_task', ['job_id', 'state']);
}

async function bookkeeping(make: TableMaker): Promise<void> {
  await make.create('audit', [
    text('actor_type', 32),
    text('actor_name'),
    text('event_type', 32),
    text('operation', 16),
    integer('operated_at'),
    text('state', 32),
    text('path', 1024),
    integer('status_code'),
    long('detail'),
  ]);
  await make.index('audit', ['created_at']);
  await make.create('lease', [text('name', 100), text('owner', 64), integer('expires_at')], {
    stamped: false,
    id: false,
  });
  await make.unique('lease', ['name']);
  await make.create('change', [text('topic', 64), integer('entity_id'), text('origin', 64), integer('created_at')], {
    stamped: false,
  });
  await make.index('change', ['created_at']);
  await make.create(
    'certificate',
    [
      text('serial', 64),
      text('subject'),
      long('names'),
      text('kind', 32),
      integer('created_at'),
      integer('expires_at'),
      integer('revoked_at'),
    ],
    { stamped: false, id: false },
  );
  await make.unique('certificate', ['serial']);
  await make.create('join_token', [
    text('name'),
    text('token_hash', 64),
    integer('expired_at'),
    text('bio', 1024),
    integer('user_id'),
  ]);
  await make.unique('join_token', ['name']);
  await make.unique('join_token', ['token_hash']);
  await make.create('secret', [text('name', 100), long('sealed_value')], { stamped: false, id: false });
  await make.unique('secret', ['name']);
}
