/**
 * Credentials as the SDKs of AWS find them: the environment, shared files and profiles, single sign-on, web identity,
 * a process, the container's and the instance's metadata service.
 */
export interface StorageCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly sessionToken: string | undefined;
}

/** Credentials of this process; requested again only shortly before they expire. Undefined where there are none. */
export function credentialChain(): () => Promise<StorageCredentials | undefined> {
  let provider: (() => Promise<AwsIdentity>) | undefined;
  return async () => {
    const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
    try {
      const { accessKeyId, secretAccessKey, sessionToken } = await (provider ??= defaultProvider())();
      return { accessKeyId, accessKeySecret: secretAccessKey, sessionToken };
    } catch (error) {
      if ((error as Error).name === 'CredentialsProviderError') return undefined;
      throw error;
    }
  };
}

interface AwsIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}
