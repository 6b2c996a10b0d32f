/** Metadata services of clouds at addresses that are not link-local: access to them gives the rights of the machine. */
export const metadataServices: readonly string[] = [
  '100.100.100.200/32', // Alibaba Cloud
  '168.63.129.16/32', // Azure serves goals and certificates to its agents there
  '192.0.0.192/32', // Oracle Cloud
  'fd00:42::42/128', // Scaleway
  'fd00:ec2::/32', // AWS
  'fd20:ce::254/128', // Google Cloud
];
