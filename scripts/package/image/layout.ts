/** An OCI image layout on disk: blobs by their digest, and the index that names the images. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly platform?: { readonly architecture: string; readonly os: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Layer {
  readonly descriptor: Descriptor;
  /** Digest of the archive before compression. */
  readonly diffId: string;
}

export class ImageLayout {
  readonly #directory: string;

  /** Makes the directory anew. */
  static async create(directory: string): Promise<ImageLayout> {
    await rm(directory, { recursive: true, force: true });
    await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
    await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    return new ImageLayout(directory);
  }

  private constructor(directory: string) {
    this.#directory = directory;
  }

  path({ digest }: Pick<Descriptor, 'digest'>): string {
    return join(this.#directory, 'blobs', digest.replace(':', '/'));
  }

  async json(mediaType: string, value: unknown): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await writeFile(this.path({ digest }), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  async layer(archive: AsyncIterable<Buffer>): Promise<Layer> {
    const temporary = join(this.#directory, 'layer.part');
    const plain = createHash('sha256');
    const compressed = createHash('sha256');
    await pipeline(
      Readable.from(archive),
      hashing(plain),
      createGzip({ level: 9 }),
      hashing(compressed),
      createWriteStream(temporary),
    );
    const digest = `sha256:${compressed.digest('hex')}`;
    const { size } = await stat(temporary);
    await rename(temporary, this.path({ digest }));
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    return { descriptor: { mediaType, digest, size }, diffId: `sha256:${plain.digest('hex')}` };
  }

  async finish(manifests: readonly Descriptor[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
    await writeFile(join(this.#directory, 'index.json'), JSON.stringify(index));
  }
}

function hashing(hash: ReturnType<typeof createHash>): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
