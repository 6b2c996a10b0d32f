/** The version every service and tool reports. */
import packageJson from '../../package.json' with { type: 'json' };

export const version: string = packageJson.version;
