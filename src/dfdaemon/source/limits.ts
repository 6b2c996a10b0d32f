/** Bounds of everything this room holds on behalf of an origin. */

/** A body is handed on in blocks of this size: positional writes of 1 MiB cost a quarter of what 64 KiB ones do. */
export const blockBytes = 1024 * 1024;
/** Memory for such blocks over all bodies. Who finds none goes on with small ones of its own, at most three at a time. */
export const blockPoolBytes = 24 * 2 ** 20;
export const smallBlockBytes = 64 * 1024;
/** Bytes of a slow origin are handed on after this long, though they do not fill a block. */
export const gatherMs = 10;
/** Blocks kept for a moment when no body is being read; the rest is left to the garbage collector. */
export const maxSpareBlocks = 16;

/** Largest header of an answer. 64 KiB would already be eight times what servers accept from us. */
export const maxHeadBytes = 32 * 1024;
/** Longest line of chunked framing (a size and its extensions), and all trailer lines together. */
export const maxChunkLineBytes = 4096;
export const maxTrailerBytes = 16 * 1024;
/** An answer that is not the content (an error page, a listing) is read up to here, else its connection is dropped. */
export const maxTextBytes = 32 * 1024 * 1024;
export const maxErrorBodyBytes = 16 * 1024;

/** Open connections to one origin, and to all origins together; requests beyond wait in line. */
export const maxConnectionsPerOrigin = 32;
export const maxConnections = 128;
export const maxWaitingRequests = 4096;
/** Kept-alive connections are closed after this long without use; common servers wait 60 to 75 s. */
export const idleConnectionMs = 30_000;

/** Name resolution, TCP and TLS handshake together. */
export const connectTimeoutMs = 15_000;
/** From the request to the end of the answer's header: registries that fetch on demand need long. */
export const headTimeoutMs = 60_000;
/** Longest silence inside a body while we are ready to read. */
export const bodyIdleTimeoutMs = 60_000;

export const maxRedirects = 10;
/** Temporary redirects remembered so that the ranges of one download are resolved once. */
export const maxCachedRedirects = 1000;
export const cachedRedirectMs = 600_000;

/** Trust stores kept ready; a cluster uses a handful of private authorities. */
export const maxTrustStores = 32;

/** Entries of one directory listing. */
export const maxListedEntries = 1_000_000;

/** Tokens of registries, one per repository and caller; the shortest life a registry may give one is a minute. */
export const maxRegistryTokens = 1000;
export const registryTokenMs = 50_000;

/** Where a proxy leads out, the name server here may know no names of the world: it is asked no longer than this. */
export const nameTimeoutMs = 1_000;
/** And not about the same name again for so long; short, since an address that changes must be judged anew. */
export const knownAddressesMs = 30_000;
export const maxKnownNames = 1_000;

/** A file of credentials that a request names; those of clouds have a few KiB. */
export const maxUserFileBytes = 64 * 1024;
