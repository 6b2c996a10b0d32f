/** The configuration of a peer with every key that published production set-ups have, `scheduler.seedPeer` misplaced as there. */
export const publishedDfgetYaml = `aliveTime: 0s
gcInterval: 1m0s
keepStorage: false
workHome: /usr/local/dragonfly
logDir: /var/log/dragonfly
cacheDir: /var/cache/dragonfly
pluginDir: /usr/local/dragonfly/plugins
dataDir: /var/lib/dragonfly
console: true
health:
  path: /server/ping
  tcpListen:
    port: 40901
verbose: true
pprof-port: 18066
metrics: ":8000"
jaeger: ""
scheduler:
  manager:
    enable: true
    netAddrs:
      - type: tcp
        addr: 192.0.2.1:65003
    refreshInterval: 10m
  netAddrs:
  scheduleTimeout: 30s
  disableAutoBackSource: false
  seedPeer:
    clusterID: 1
    enable: false
    type: super
host:
  idc: ""
  location: ""
download:
  calculateDigest: true
  downloadGRPC:
    security:
      insecure: true
      tlsVerify: true
    unixListen:
      socket: ""
  peerGRPC:
    security:
      insecure: true
    tcpListen:
      port: 65000
  perPeerRateLimit: 5120Mi
  prefetch: false
  totalRateLimit: 10240Mi
upload:
  rateLimit: 10240Mi
  security:
    insecure: true
    tlsVerify: false
  tcpListen:
    port: 65002
objectStorage:
  enable: false
  filter: Expires&Signature&ns
  maxReplicas: 3
  security:
    insecure: true
    tlsVerify: true
  tcpListen:
    port: 65004
storage:
  diskGCThreshold: 1000Gi
  multiplex: true
  strategy: io.d7y.storage.v2.simple
  taskExpireTime: 72h
proxy:
  defaultFilter: Expires&Signature&ns
  defaultTag:
  tcpListen:
    port: 65001
  security:
    insecure: true
    tlsVerify: false
  registryMirror:
    dynamic: true
    insecure: false
    url: https://index.docker.io
  proxies:
    - regx: blobs/sha256.*
    - regx: s3.*amazonaws.com.*
security:
  autoIssueCert: false
  caCert: ""
  certSpec:
    dnsNames: null
    ipAddresses: null
    validityPeriod: 4320h
  tlsPolicy: prefer
  tlsVerify: false
network:
  enableIPv6: false
announcer:
  schedulerInterval: 30s
`;
