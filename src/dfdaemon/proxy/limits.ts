/** Every bound of the proxy, with its reason and the configuration key that overrides it, if one does. */
export const proxyLimits = {
  /** Open client connections. Further ones are closed at once, so that a container engine goes on to its next host. */
  connections: 8192,
  /** Size of a request's or an answer's header: signed URLs reach some KiB, tokens of cloud registries 12 KiB, and some sites send 64 KiB. */
  headerBytes: 128 * 1024,
  /** A client that does not finish its header in this time is dropped. */
  headersTimeoutMs: 30_000,
  /** Idle keep-alive of a client connection; container engines reuse within seconds. */
  keepAliveMs: 60_000,
  /** A client that neither sends nor takes anything for this long is disconnected, which frees what it holds. */
  clientIdleTimeoutMs: 5 * 60_000,
  /** How long a mirror request waits for a free slot (`proxy.maxConcurrency`). It is short because the engine has another host to ask. */
  mirrorQueueMs: 500,
  /** The same for a forward proxy request. It is long because the client has no alternative. */
  forwardQueueMs: 30_000,
  /** Waiting requests beyond which the next is refused at once. */
  queueLength: 4096,
  /** TCP and TLS connection to an upstream. */
  connectTimeoutMs: 10_000,
  /**
   * A request body of known length up to this size is kept until the origin answers, and sent again when a reused connection
   * turns out to be closed.
   */
  replayBytes: 64 * 1024,
  /** Memory for all such bodies together. Requests beyond it, and longer ones, get a connection of their own. */
  replayTotalBytes: 16 * 2 ** 20,
  /** Time until the upstream's header after the request was sent; slow registries generate manifests on demand. */
  upstreamHeaderTimeoutMs: 60_000,
  /** Silence in an upstream's body after which the connection counts as broken. */
  upstreamIdleTimeoutMs: 60_000,
  /**
   * The same, header and body, for the own request of a client that has nobody else to ask, as engines at the mirror have, and for
   * which nothing is held: repositories fetch or scan what they are asked for first, and streams of events may be silent. The client
   * itself knows best how long it waits.
   */
  ownSilenceMs: 15 * 60_000,
  /** By how much the client's connection outlasts that: the origin has to be given up first, for an answer that says so. */
  ownSilenceMarginMs: 60_000,
  /** The same for a write to a store, which may put long uploads together first; shorter than a client at the door may be idle. */
  storeSilenceMs: 4 * 60_000,
  /** Connections per upstream host, and how many idle ones are kept. */
  upstreamConnections: 256,
  upstreamIdleConnections: 16,
  /** The engine must open a task or fail within this time; after that the request goes straight to its source. */
  engineOpenTimeoutMs: 30_000,
  /**
   * How long the header of an object is held back for the first bytes of its body: until then the proxy can still fall back to
   * the client's own request.
   */
  firstBytesMs: 500,
  /** How long a body may stall. The engine has its own, shorter deadlines; this one catches an engine that hangs. */
  bodyStallTimeoutMs: 120_000,
  /** The block that is read from disk and written to a client that sendfile cannot serve. A slow client occupies one. */
  bodyBlockBytes: 128 * 1024,
  /** Memory for such blocks over all answers. An answer that gets none waits. */
  bodyPoolBytes: 24 * 2 ** 20,
  /** A tunnel with no byte in either direction for this long is closed. */
  tunnelIdleTimeoutMs: 15 * 60_000,
  /** Pushes of blobs that are written at the same time, how long one may pause, and the bytes of all pushes that no registry has accepted yet. */
  pushes: 256,
  pushIdleMs: 60 * 60_000,
  pushBytes: 32 * 2 ** 30,
  /** After this many bytes the disk is checked for room for as many more. */
  pushStepBytes: 64 * 2 ** 20,
  /** The longest time that the answer to a write is delayed until the written content is stored on this node. */
  keepWriteMs: 5_000,
  /** Memory for blocks that the disk has not taken yet; bytes beyond it are not kept. */
  pushBacklogBytes: 16 * 2 ** 20,
  /** Memory for manifests, in bytes; the distribution specification limits one manifest to 4 MiB. */
  manifestCacheBytes: 64 * 2 ** 20,
  manifestBytes: 4 * 2 ** 20,
  /** When a registry is away, a manifest must come from a node of the cluster within this time. */
  heldManifestMs: 5_000,
  /** Digests that callers have proven access to, over all callers. */
  grantedDigests: 200_000,
  /** Proofs and challenges remembered. */
  proofs: 20_000,
  challenges: 1000,
  challengeBytes: 16 * 1024,
  /** A public repository may become private, so anonymous access is verified again after this time. */
  strangerAgainMs: 60 * 60_000,
  /** An origin that does not answer within this time whether a caller may read counts as down. */
  probeTimeoutMs: 10_000,
  /** A scheduler must report what another node was told within this time; after a failure it is not asked for a while. */
  sharedProofMs: 3_000,
  sharedProofPauseMs: 10_000,
  /** Manifests up to this size are shared with other nodes; a manifest requested by digest counts for a moment. */
  sharedManifestMs: 30_000,
  sharedManifestBytes: 128 * 1024,
  /** The size up to which an answer is kept in memory, if a shared cache may keep it, and the size of all of them together. */
  smallAnswerBytes: 64 * 1024,
  smallAnswersBytes: 32 * 2 ** 20,
  /** How many contents of one URL are remembered, and for how many URLs. */
  variants: 4,
  knownObjects: 20_000,
  /** How long an object whose origin sent nothing that identifies its content is not asked about again. */
  namelessMs: 10 * 60_000,
  /** How many bytes an origin must send of content that its own URL does not identify, and where content that is still arriving is sampled. */
  sampleBytes: 64,
  nearBytes: 64 * 1024,
  /** How many of these samples are remembered, and for how long they count. */
  possessions: 20_000,
  possessionMs: 60 * 60_000,
  /** Redirects that such a question follows. */
  redirects: 5,
  /** An unwanted body is read up to this size, so that its connection stays usable. */
  dumpedBytes: 64 * 1024,
  /** Registries whose answer to HEAD turned out to be wrong, and how long the header of their blobs is held back until the first piece. */
  unsureRegistries: 1000,
  unsureMs: 60 * 60_000,
  /** Leaf certificates that are kept, and how many are created at the same time; each takes some milliseconds of CPU. */
  leafCertificates: 1000,
  leafCertificatesInWork: 64,
  /** Lifetimes of the certificates used for interception. Those of leaves are shorter than the maximum that browsers accept (398 days). */
  authorityLifetimeDays: 3650,
  leafLifetimeDays: 7,
  /** TLS handshake with an intercepted client. */
  handshakeTimeoutMs: 10_000,
  /** Failed sign-ins per client address before further ones are refused without a check, and how long failures are remembered. */
  failedSignIns: 20,
  failedSignInWindowMs: 60_000,
  failedSignInAddresses: 10_000,
  /** Longest regular expression and redirect of a rule. */
  ruleLength: 2048,
  /** How long running answers may take to finish at shutdown. */
  drainMs: 5000,
} as const;
