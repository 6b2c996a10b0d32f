/** The configuration of clients that setup does not change: it is printed, for the user to put in place. */
import { usualDoors, variablesOf, type EnvironmentClient } from './environment.ts';
import { s3Configuration } from './print-s3.ts';

export const printableClients = [
  'nydus',
  'stargz',
  'soci',
  'talos',
  'bottlerocket',
  'huggingface',
  'modelscope',
  'vllm',
  's3',
  'runai',
  'juicefs',
  'pip',
  'npm',
  'apt',
  'git-lfs',
] as const;
export type PrintableClient = (typeof printableClients)[number];

export interface PrintOptions {
  readonly proxyUrl: string;
  /** The registry for lazy loaders. */
  readonly registry: { readonly name: string; readonly url: string };
}

export function clientConfiguration(client: PrintableClient, { proxyUrl, registry }: PrintOptions): string {
  const proxy = new URL(proxyUrl);
  switch (client) {
    case 'nydus':
      return `# /etc/nydus/nydusd-config.fusedev.json, then: systemctl restart nydus-snapshotter
# up to nydusd 2.3, which knows mirrors:
${JSON.stringify({ device: { backend: { type: 'registry', config: { mirrors: [{ host: proxyUrl, auth_through: true, headers: { 'X-Dragonfly-Registry': registry.url, 'X-Dragonfly-Prefetch': 'true' }, ping_url: `${proxy.protocol}//${proxy.hostname}:40901/server/ping` }] } } } }, undefined, 2)}
# X-Dragonfly-Prefetch: the first range brings the rest of the blob in the background
# later ones have no mirrors, and read their registry by a proxy; http registries, or intercepted by the daemon:
# ${JSON.stringify({ device: { backend: { type: 'registry', config: { proxy: { url: proxyUrl, ping_url: `${proxy.protocol}//${proxy.hostname}:40901/server/ping`, fallback: true, check_interval: 5 } } } } })}
`;
    case 'stargz':
      return `# /etc/containerd-stargz-grpc/config.toml
[[resolver.host."${registry.name}".mirrors]]
host = "${proxy.host}"
insecure = ${proxy.protocol === 'http:'}
[resolver.host."${registry.name}".mirrors.header]
X-Dragonfly-Registry = ["${registry.url}"]
`;
    case 'soci':
      return `# /etc/soci-snapshotter-grpc/config.toml
[[resolver.host."${registry.name}".mirrors]]
host = "${proxy.host}"
insecure = ${proxy.protocol === 'http:'}
# The daemon must know the registry, since no header can be set here: proxy.registryMirror.url: ${registry.url}
`;
    case 'talos':
      return `# a patch of the machine configuration: talosctl patch mc --patch @dragonfly.yaml
machine:
  registries:
    mirrors:
      ${registry.name}:
        endpoints:
          - ${proxyUrl}
# from Talos 1.12 on, a document of its own instead:
# ---
# apiVersion: v1alpha1
# kind: RegistryMirrorConfig
# name: ${registry.name}
# endpoints:
#   - url: ${proxyUrl}
# the daemon runs in the network of the node (hostNetwork); its proxy learns the registry from containerd itself
`;
    case 'bottlerocket':
      return `# user data, or: apiclient apply < dragonfly.toml
[[settings.container-registry.mirrors]]
registry = "${registry.name}"
endpoint = ["${proxyUrl}"]
# the daemon runs in the network of the node (hostNetwork); its proxy learns the registry from containerd itself
`;
    case 'huggingface':
      return `export HF_ENDPOINT=${proxyUrl}/hf
# for every shell of this machine: dragonfly setup huggingface --apply
# nothing else is needed: models, datasets and spaces then come by way of the peers; the daemon asks the hub with the token of
# each client, and checks every large file against the digest the hub names (another hub: doors.huggingface.endpoint)
#
# Instead, for programs that do not read HF_ENDPOINT: by the proxy
export HTTPS_PROXY=${proxyUrl}
export SSL_CERT_FILE=<workHome>/proxy-ca/ca-bundle.crt
export REQUESTS_CA_BUNDLE=<workHome>/proxy-ca/ca-bundle.crt
# SSL_CERT_FILE is read by huggingface_hub from 1.0 on, REQUESTS_CA_BUNDLE before; the file holds this machine's authorities, too
# daemon: proxy.hijackHTTPS: { autoCert: true, hosts: [{ regx: '(huggingface\\.co|hf\\.co)' }] }
#         proxy.proxies: [{ regx: 'huggingface\\.co/.*/resolve/|cdn-lfs[^/]*\\.(huggingface|hf)\\.co/|\\.(cdn|xethub)\\.hf\\.co/' }]
# without a proxy: dfget hf://<owner>/<model>
`;
    case 'modelscope':
      return `export MODELSCOPE_ENDPOINT=${proxyUrl}/ms
# modelscope_hub, and modelscope from 1.38 on, which is made of it; earlier ones know MODELSCOPE_DOMAIN alone, and that by https
# for every shell of this machine: dragonfly setup modelscope --apply (another hub: doors.modelscope.endpoint)
`;
    case 'vllm':
      return `${exportsOf('vllm', proxyUrl)}# vllm serve <owner>/<model>; with VLLM_USE_MODELSCOPE=True from ModelScope; s3://<bucket>/<model> with --load-format runai_streamer
# S3 wants doors.s3.buckets of the daemon, and keys of doors.s3.clients: dragonfly setup runai
# for every shell of this machine: dragonfly setup vllm --apply
`;
    case 's3':
    case 'runai':
    case 'juicefs':
      return s3Configuration(client, `http://${proxy.hostname}:65004`);
    case 'pip':
      return `# pip.conf
[global]
proxy = ${proxyUrl}
cert = <workHome>/proxy-ca/ca.crt
# pip then trusts that authority alone, so the index is intercepted, too
# daemon: proxy.hijackHTTPS: { autoCert: true, hosts: [{ regx: '(pypi|files\\.pythonhosted)\\.org' }] }
#         proxy.proxies: [{ regx: 'files\\.pythonhosted\\.org/packages/.*\\.(whl|tar\\.gz|zip)' }]
`;
    case 'npm':
      return `# .npmrc
https-proxy=${proxyUrl}
cafile=<workHome>/proxy-ca/ca.crt
# daemon: proxy.hijackHTTPS: { autoCert: true, hosts: [{ regx: 'registry\\.npmjs\\.org' }] }
#         proxy.proxies: [{ regx: 'registry\\.npmjs\\.org/.*/-/.*\\.tgz' }]
`;
    case 'apt':
      return `# /etc/apt/apt.conf.d/90dragonfly
Acquire::http::Proxy "${proxyUrl}";
Acquire::https::Proxy "${proxyUrl}";
# daemon: proxy.proxies: [{ regx: '/pool/.*\\.deb' }]
`;
    case 'git-lfs':
      return `git config --global http.proxy ${proxyUrl}
git config --global http.https://github-cloud.githubusercontent.com/.sslCAInfo <workHome>/proxy-ca/ca.crt
# that host alone: for all the others git goes on trusting whom it trusts now (GIT_SSL_CAINFO, where set, wins over both)
# daemon: proxy.hijackHTTPS: { autoCert: true, hosts: [{ regx: 'github-cloud\\.githubusercontent\\.com' }] }
#         proxy.proxies: [{ regx: 'github-cloud\\.githubusercontent\\.com.*' }]
`;
  }
}

function exportsOf(client: EnvironmentClient, proxyUrl: string): string {
  return [...variablesOf(client, usualDoors(proxyUrl))].map(([name, value]) => `export ${name}=${value}\n`).join('');
}
