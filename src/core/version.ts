/** The version that every service and tool reports. */
import packageJson from '../../package.json' with { type: 'json' };

declare const buildCommit: string | undefined;

export const version: string = packageJson.version;

/** Set by the bundler; a checkout asks git. */
export const commit: string | undefined = typeof buildCommit === 'string' ? buildCommit : undefined;
