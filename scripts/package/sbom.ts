/** The bill of materials of the executable, SPDX 2.3: Node, and every library of the lock file that goes into the product. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './bundle.ts';
import { releaseVersion, sourceDate } from './release-facts.ts';
import type { Platform } from './platforms.ts';

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

interface SystemPackage {
  readonly name: string;
  readonly version: string;
}

interface Component {
  readonly name: string;
  readonly version: string;
  readonly license: string | undefined;
  readonly integrity: string | undefined;
}

/**
 * The document is the same for the same commit and platform.
 * @param system packages of Debian that lie beside it, in an image.
 */
export async function sbom(platform: Platform, system: readonly SystemPackage[] = []): Promise<object> {
  const version = await releaseVersion();
  const components = [nodeInside(platform), ...(await libraries(platform))];
  const packages = [
    ...components.map(spdxPackage),
    ...system.map(({ name, version: of }) => debianPackage(name, of, platform)),
  ];
  const own = 'SPDXRef-dragonfly';
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `dragonfly-${version}-linux-${platform.debian}`,
    documentNamespace: `https://d7y.io/spdx/dragonfly-${version}-linux-${platform.debian}-${sourceDate()}`,
    creationInfo: {
      created: new Date(sourceDate() * 1000).toISOString().replace('.000', ''),
      creators: ['Tool: dragonfly-release'],
    },
    packages: [
      {
        SPDXID: own,
        name: 'dragonfly',
        versionInfo: version,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        licenseConcluded: 'Apache-2.0',
        licenseDeclared: 'Apache-2.0',
        copyrightText: 'NOASSERTION',
      },
      ...packages,
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: own },
      ...packages.map(({ SPDXID }) => ({
        spdxElementId: own,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: SPDXID,
      })),
    ],
  };
}

function nodeInside({ node }: Platform): Component {
  return { name: node.name, version: node.version, license: 'MIT', integrity: node.integrity };
}

/** Those for other machines and those for developers only are left out. */
async function libraries({ arch }: Platform): Promise<Component[]> {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const found = Object.entries(packages).flatMap(([path, locked]): Component[] => {
    const { version, license, integrity, dev, link, os, cpu, libc } = locked;
    const at = path.lastIndexOf('node_modules/');
    if (at === -1 || version === undefined || dev === true || link === true) return [];
    if (os?.includes('linux') === false || cpu?.includes(arch) === false || libc?.includes('glibc') === false)
      return [];
    const name = path.slice(at + 'node_modules/'.length);
    // The launchers of a checkout run on it; the executable has another one inside.
    return name === 'node' || name.startsWith('node-') ? [] : [{ name, version, license, integrity }];
  });
  const byName = new Map(found.map((component) => [`${component.name}@${component.version}`, component]));
  return [...byName.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, component]) => component);
}

function debianPackage(name: string, version: string, { debian }: Platform) {
  return {
    ...unexamined(`deb-${name}-${version}`, name, version),
    licenseDeclared: 'NOASSERTION',
    externalRefs: packageUrl(`pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${debian}`),
  };
}

function spdxPackage({ name, version, license, integrity }: Component) {
  const [algorithm, digest] = integrity?.split('-', 2) ?? [];
  const isExpression = license !== undefined && /^[\w.+() -]+$/.test(license) && !license.startsWith('SEE ');
  return {
    ...unexamined(`npm-${name}-${version}`, name, version),
    licenseDeclared: isExpression ? license : 'NOASSERTION',
    ...(algorithm === 'sha512' && digest !== undefined
      ? { checksums: [{ algorithm: 'SHA512', checksumValue: Buffer.from(digest, 'base64').toString('hex') }] }
      : {}),
    externalRefs: packageUrl(`pkg:npm/${name.replace('@', '%40')}@${version}`),
  };
}

function unexamined(id: string, name: string, version: string) {
  return {
    SPDXID: `SPDXRef-${id.replaceAll(/[^a-zA-Z0-9.-]+/g, '-')}`,
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
  };
}

function packageUrl(purl: string) {
  return [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }];
}
