/** Limits for calls to registries. */

/** Bytes of one manifest or token; registries refuse larger manifests themselves. */
export const maxManifestBytes = 4 * 1024 * 1024;

/** Maximum nesting of image indexes. */
export const maxIndexDepth = 3;

export const maxRedirects = 5;

/** A registry token is renewed this long before it expires; one without an expiry lives this long. */
export const tokenRenewalMs = 10_000;
export const minTokenLifeMs = 60_000;

/** Registries to which a client keeps connections, and connections to each. */
export const maxRegistries = 100;
export const maxConnections = 16;

/** Pages of one list of a model hub, of a thousand entries each. */
export const maxHubPages = 100;
