/** The configuration of S3 clients, and the daemon's configuration to serve them. */

/** @param endpoint of the door, by the daemon's default. */
export function s3Configuration(client: 's3' | 'runai' | 'juicefs', endpoint: string): string {
  const keys = `export AWS_ACCESS_KEY_ID=<doors.s3.clients[].accessKeyID>
export AWS_SECRET_ACCESS_KEY=<doors.s3.clients[].secretKey>
`;
  switch (client) {
    case 's3':
      return `export AWS_ENDPOINT_URL=${endpoint}
export AWS_REGION=us-east-1
${keys}# boto3, s3fs, torch checkpoints, aws s3, the SDKs of Go, Java, JavaScript and Rust; path style, or the bucket in the host
# s5cmd: S3_ENDPOINT_URL=${endpoint}   older s3fs: FSSPEC_S3_ENDPOINT_URL=${endpoint}
# signed URLs by boto3: Config(signature_version="s3v4")
${daemon}`;
    case 'runai':
      return `export AWS_ENDPOINT_URL=${endpoint}
export AWS_REGION=us-east-1
${keys}export RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING=0
export AWS_EC2_METADATA_DISABLED=true
# vllm serve s3://<bucket>/<model> --load-format runai_streamer
# a bucket with anonymous: true needs no keys on this machine: RUNAI_STREAMER_S3_UNSIGNED=1
${daemon}`;
    case 'juicefs':
      return `juicefs format --storage s3 --bucket ${endpoint}/<bucket> \\
  --access-key <doors.s3.clients[].accessKeyID> --secret-key <doors.s3.clients[].secretKey> <META-URL> <NAME>
# its blocks never change: immutable: ['<NAME>/chunks/']; it writes, too: writable: true
${daemon}`;
  }
}

const daemon = `#
# daemon (dfget.yaml), which then listens there:
# doors:
#   s3:
#     buckets:
#       - name: <bucket, as clients call it>
#         endpoint: https://s3.<region>.amazonaws.com
#         region: <region>
#         accessKeyID: <for the store>   # or ownCredentials: true
#         secretKey: <for the store>
#     clients:
#       - accessKeyID: <for clients, of your choice>
#         secretKey: <for clients, of your choice>
`;
