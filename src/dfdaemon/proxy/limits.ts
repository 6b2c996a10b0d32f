/** Every bound of the proxy, with its reason and the configuration key that overrides it, if one does. */
export const proxyLimits = {
  /** Open client connections; past it new ones are closed at once so that an engine goes on to its next host. */
  connections: 8192,
  /** Bytes of a request's or an answer's header: signed URLs reach some KiB, tokens of cloud registries 12 KiB, sites send 64. */
  headerBytes: 128 * 1024,
  /** A client that does not finish its header in this time is dropped. */
  headersTimeoutMs: 30_000,
  /** Idle keep-alive of a client connection; container engines reuse within seconds. */
  keepAliveMs: 60_000,
  /** A client that neither sends nor takes anything for this long is dropped, with what it holds. */
  clientIdleTimeoutMs: 5 * 60_000,
  /** Waiting for a free slot (`proxy.maxConcurrency`) as a mirror: the engine has another host to go to. */
  mirrorQueueMs: 500,
  /** The same as a forward proxy: the client has no other way. */
  forwardQueueMs: 30_000,
  /** Waiting requests beyond which the next is refused at once. */
  queueLength: 4096,
  /** TCP and TLS connection to an upstream. */
  connectTimeoutMs: 10_000,
  /** A request's body of a known length up to this is kept until the origin answers, and sent again when a kept connection was closed. */
  replayBytes: 64 * 1024,
  /** Memory for such bodies, all together; requests beyond it, and longer ones, get a connection of their own. */
  replayTotalBytes: 16 * 2 ** 20,
  /** Upstream's header after the request was sent; slow registries generate manifests on demand. */
  upstreamHeaderTimeoutMs: 60_000,
  /** Silence in an upstream's body after which the connection counts as broken. */
  upstreamIdleTimeoutMs: 60_000,
  /** Connections per upstream host and idle ones kept. */
  upstreamConnections: 256,
  upstreamIdleConnections: 16,
  /** The engine must open a task or fail in this time; then the request goes straight to its source. */
  engineOpenTimeoutMs: 30_000,
  /** The header of an object waits so long for the first bytes of its body: until then the client's own request can still be asked. */
  firstBytesMs: 500,
  /** No further byte of a body for this long: the engine has its own, shorter deadlines; this one catches a hung engine. */
  bodyStallTimeoutMs: 120_000,
  /** Block read from disk and written to a client that sendfile does not serve; a slow client holds one. */
  bodyBlockBytes: 128 * 1024,
  /** Memory for such blocks over all answers; who finds none waits. */
  bodyPoolBytes: 24 * 2 ** 20,
  /** A tunnel with no byte in either direction for this long is closed. */
  tunnelIdleTimeoutMs: 15 * 60_000,
  /** Pushes of blobs that are written down at once, how long one may rest, and bytes of all of them that no registry has accepted yet. */
  pushes: 256,
  pushIdleMs: 60 * 60_000,
  pushBytes: 32 * 2 ** 30,
  /** So often, in bytes, it is asked whether the disk has room for as many more. */
  pushStepBytes: 64 * 2 ** 20,
  /** An answer to a write waits so long, at most, for what was written to be content of this node. */
  keepWriteMs: 5_000,
  /** Memory for blocks of them that the disk has not taken yet; what comes beyond it is not kept. */
  pushBacklogBytes: 16 * 2 ** 20,
  /** Manifests kept, by bytes; the distribution specification's common bound for one manifest is 4 MiB. */
  manifestCacheBytes: 64 * 2 ** 20,
  manifestBytes: 4 * 2 ** 20,
  /** A manifest of an absent registry must come from a node of the cluster in this time. */
  heldManifestMs: 5_000,
  /** Digests that callers have proven access to, over all callers. */
  grantedDigests: 200_000,
  /** Proofs and challenges remembered. */
  proofs: 20_000,
  challenges: 1000,
  challengeBytes: 16 * 1024,
  /** A repository that anybody could read may be private later: what it says to strangers is asked again after this. */
  strangerAgainMs: 60 * 60_000,
  /** An origin that does not answer the question whether a caller may read counts as down. */
  probeTimeoutMs: 10_000,
  /** A scheduler tells within this time what another node was told; after a failure it is not asked for a while. */
  sharedProofMs: 3_000,
  sharedProofPauseMs: 10_000,
  /** A manifest up to this size is told to other nodes; one that was asked for by its digest counts for a moment. */
  sharedManifestMs: 30_000,
  sharedManifestBytes: 128 * 1024,
  /** An answer up to this size is kept in memory where a shared cache may keep it, and all of them together. */
  smallAnswerBytes: 64 * 1024,
  smallAnswersBytes: 32 * 2 ** 20,
  /** Contents remembered of one URL, and URLs they are remembered of. */
  variants: 4,
  knownObjects: 20_000,
  /** Objects of which the origin told nothing that names them are not asked about for this long. */
  namelessMs: 10 * 60_000,
  /** Bytes an origin must show of content that is not named by its own URL, and where content that still comes in is tried. */
  sampleBytes: 64,
  nearBytes: 64 * 1024,
  /** What origins have shown, and for how long that counts. */
  possessions: 20_000,
  possessionMs: 60 * 60_000,
  /** Redirects a question follows. */
  redirects: 5,
  /** A body that is not wanted is read up to here, so that its connection stays usable. */
  dumpedBytes: 64 * 1024,
  /** Registries whose answer to HEAD did not hold, and for how long their blobs are answered with the first piece only. */
  unsureRegistries: 1000,
  unsureMs: 60 * 60_000,
  /** Leaf certificates kept, and made at the same time; one takes some milliseconds of CPU. */
  leafCertificates: 1000,
  leafCertificatesInWork: 64,
  /** Lifetimes of what interception signs. Leaves are shorter than what browsers accept at most (398 days). */
  authorityLifetimeDays: 3650,
  leafLifetimeDays: 7,
  /** TLS handshake with an intercepted client. */
  handshakeTimeoutMs: 10_000,
  /** Failed sign-ins per client address before it is refused without a look, and how long that is remembered. */
  failedSignIns: 20,
  failedSignInWindowMs: 60_000,
  failedSignInAddresses: 10_000,
  /** Longest regular expression and redirect of a rule. */
  ruleLength: 2048,
  /** Graceful end: answers in flight may finish for this long. */
  drainMs: 5000,
} as const;
