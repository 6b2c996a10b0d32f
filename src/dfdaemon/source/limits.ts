/** Limits of everything this directory holds on behalf of an origin. */

/** A body is handed on in blocks of this size: positional writes of 1 MiB cost a quarter of those of 64 KiB. */
export const blockBytes = 1024 * 1024;
/** Memory for such blocks over all bodies. A body that gets none goes on with small blocks of its own, at most three at a time. */
export const blockPoolBytes = 24 * 2 ** 20;
export const smallBlockBytes = 64 * 1024;
/** Bytes of a slow origin are handed on after this time even when they do not fill a block. */
export const gatherMs = 10;
/** Blocks that are kept for a moment when no body is being read; the rest is left to the garbage collector. */
export const maxSpareBlocks = 16;

/** The largest header of an answer. 64 KiB would already be eight times what servers accept from us. */
export const maxHeadBytes = 32 * 1024;
/** The longest line of chunked framing (a size and its extensions), and all trailer lines together. */
export const maxChunkLineBytes = 4096;
export const maxTrailerBytes = 16 * 1024;
/** An answer that is not the content (an error page, a listing) is read up to this size; a longer one costs its connection. */
export const maxTextBytes = 32 * 1024 * 1024;
export const maxErrorBodyBytes = 16 * 1024;

/** Files of one bundle that are asked for at a time, and blocks of them that are filled ahead of the one that is handed on. */
export const maxBundleRequests = 8;
export const maxBundleStages = 3;

/** Open connections to one origin, and to all origins together; further requests wait in line. */
export const maxConnectionsPerOrigin = 32;
export const maxConnections = 128;
export const maxWaitingRequests = 4096;
/** Kept-alive connections are closed after this time without use; common servers wait 60 to 75 s. */
export const idleConnectionMs = 30_000;

/** For name resolution, TCP and TLS handshake together. */
export const connectTimeoutMs = 15_000;
/** From the request to the end of the answer's header; registries that fetch on demand are slow. */
export const headTimeoutMs = 60_000;
/** The longest silence inside a body while we are ready to read. */
export const bodyIdleTimeoutMs = 60_000;

export const maxRedirects = 10;
/** Temporary redirects that are remembered, so that they are resolved once for all ranges of a download. */
export const maxCachedRedirects = 1000;
export const cachedRedirectMs = 600_000;

/** Trust stores that are kept ready; a cluster uses only a few private authorities. */
export const maxTrustStores = 32;

/** Entries of one directory listing. */
export const maxListedEntries = 1_000_000;
/** Pages of one listing: a server may send pages with nothing in them for ever. */
export const maxListedPages = 10_000;
/** Of the page of a directory, in characters: it is read at one go, and nothing else runs meanwhile. Some 60,000 names. */
export const maxPageLength = 8 * 2 ** 20;

/** Tokens of registries, one per repository and caller; the shortest lifetime a registry may give one is a minute. */
export const maxRegistryTokens = 1000;
export const registryTokenMs = 50_000;

/** Behind an outbound proxy the local name server may not know public names, so it is asked no longer than this. */
export const nameTimeoutMs = 1_000;
/** The same name is not looked up again for this time; it is short, because an address that changes must be judged anew. */
export const knownAddressesMs = 30_000;
export const maxKnownNames = 1_000;

/** A credentials file that a request names; those of clouds have a few KiB. */
export const maxUserFileBytes = 64 * 1024;
