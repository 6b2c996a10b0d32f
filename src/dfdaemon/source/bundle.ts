/**
 * Bundles of small files (core/bundle): a part of one is the files that it overlaps, some asked for at a time and handed on in their order.
 *
 * Files are read whole, since only the whole can be compared with what the directory's listing has told: length, validator and digest. One
 * that is not as listed fails the bundle; its caller then asks for the files one by one.
 */
import type { Bundle, BundledFile } from '../../core/bundle/bundle.ts';
import { hasListedDigest } from '../../core/bundle/listed-digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import { blockBytes, maxBundleRequests, maxBundleStages } from './limits.ts';
import type { ByteSink, SourceBody, SourceObject, SourceRequest } from './source.ts';

export type OpenFile = (request: SourceRequest) => Promise<SourceBody>;

/** Rejects as the source of the files does, and with SOURCE_CHANGED when one is not as it was listed. */
export async function openBundle(request: SourceRequest, bundle: Bundle, openFile: OpenFile): Promise<SourceBody> {
  const object = statBundle(request, bundle);
  const { start, length } = partOf(request, bundle);
  const reading = new BundleReading({ request, bundle, openFile, start, end: start + length });
  await reading.begin();
  return {
    ...object,
    startBytes: start,
    lengthBytes: length,
    readTo: (sink) => reading.readTo(sink),
    cancel: () => reading.cancel(),
  };
}

/** Nothing of it is asked of the origin: the list says it all. */
export function statBundle({ url, validator: wanted }: SourceRequest, bundle: Bundle): SourceObject {
  const validator = `"${bundle.listDigest}"`;
  if (wanted !== undefined && wanted !== validator)
    throw new DragonflyError('SOURCE_CHANGED', `${redact(url)} was listed anew during the download`);
  return { contentLengthBytes: bundle.lengthBytes, ranges: true, validator, header: { etag: validator } };
}

function partOf({ range, suffixBytes }: SourceRequest, { lengthBytes }: Bundle): { start: number; length: number } {
  if (suffixBytes !== undefined)
    return { start: Math.max(0, lengthBytes - suffixBytes), length: Math.min(suffixBytes, lengthBytes) };
  if (!range) return { start: 0, length: lengthBytes };
  if (range.start >= lengthBytes)
    throw new DragonflyError('RANGE_NOT_SATISFIABLE', `the range lies outside the ${lengthBytes} bytes of the bundle`);
  return { start: range.start, length: Math.min(range.length, lengthBytes - range.start) };
}

/** Consecutive files whose bytes are handed on together. */
interface Stage {
  readonly files: readonly BundledFile[];
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

interface ReadingOptions {
  readonly request: SourceRequest;
  readonly bundle: Bundle;
  readonly openFile: OpenFile;
  readonly start: number;
  readonly end: number;
}

class BundleReading {
  readonly #options: ReadingOptions;
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal;
  readonly #stages: readonly Stage[];
  /** Stages that are being filled, in their order. */
  readonly #filling: Promise<Buffer>[] = [];
  /** Each brings one file after the other. */
  readonly #lanes: Promise<void>[] = Array.from({ length: maxBundleRequests }, () => Promise.resolve());
  #begun = 0;
  #asked = 0;

  constructor(options: ReadingOptions) {
    const { bundle, request, start, end } = options;
    this.#options = options;
    this.#signal = AbortSignal.any([request.signal, this.#controller.signal]);
    this.#stages = stagesOf(bundle.files, start, end);
  }

  /** Resolves when the first bytes are there: an origin that refuses is heard of at once. */
  async begin(): Promise<void> {
    this.#fill();
    try {
      await this.#filling[0];
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  async readTo(sink: ByteSink): Promise<void> {
    const { start, end } = this.#options;
    try {
      for (const { offsetBytes, lengthBytes } of this.#stages) {
        const content = await this.#filling.shift();
        this.#fill();
        if (!content) continue;
        const from = Math.max(start, offsetBytes) - offsetBytes;
        const to = Math.min(end, offsetBytes + lengthBytes) - offsetBytes;
        if (to > from) await sink(content.subarray(from, to));
      }
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  cancel(): void {
    this.#controller.abort(new DragonflyError('CANCELLED', 'nothing more is needed of the bundle'));
  }

  #fill(): void {
    for (; this.#filling.length < maxBundleStages && this.#begun < this.#stages.length; this.#begun += 1) {
      const stage = this.#stages[this.#begun];
      if (!stage) return;
      const filling = this.#stage(stage);
      filling.catch(() => undefined); // whoever reads it hears of it
      this.#filling.push(filling);
    }
  }

  async #stage({ files, offsetBytes, lengthBytes }: Stage): Promise<Buffer> {
    const content = Buffer.allocUnsafeSlow(lengthBytes);
    const brought = files.map((file) => {
      const from = file.offsetBytes - offsetBytes;
      return this.#inLane(() => this.#bring(file, content.subarray(from, from + file.lengthBytes)));
    });
    await Promise.all(brought);
    return content;
  }

  #inLane(bring: () => Promise<void>): Promise<void> {
    const lane = this.#asked % maxBundleRequests;
    this.#asked += 1;
    const brought = (this.#lanes[lane] ?? Promise.resolve()).then(bring);
    this.#lanes[lane] = brought.catch(() => undefined);
    return brought;
  }

  async #bring(file: BundledFile, into: Buffer): Promise<void> {
    const { request, openFile } = this.#options;
    this.#signal.throwIfAborted();
    const { bundle: _, range: _range, suffixBytes: _suffix, validator: _validator, ...rest } = request;
    const body = await openFile({
      ...rest,
      url: request.url + file.path,
      validator: file.validator,
      signal: this.#signal,
    });
    let received = 0;
    try {
      if (file.digest === undefined && !isOfVersion(body, file.validator))
        throw changed(request, file, 'does not say of which version it is');
      if (body.contentLengthBytes !== undefined && body.contentLengthBytes !== file.lengthBytes)
        throw changed(request, file, `has ${body.contentLengthBytes} bytes`);
      await body.readTo((block) => {
        if (received + block.length > file.lengthBytes) throw changed(request, file, 'is longer');
        block.copy(into, received);
        received += block.length;
      });
    } catch (error) {
      body.cancel();
      throw error;
    }
    if (received !== file.lengthBytes) throw changed(request, file, `has ${received} bytes`);
    if (file.digest !== undefined && !hasListedDigest(into, file.digest))
      throw changed(request, file, `has not ${file.digest}`);
  }
}

/** Sources compare a validator where the answer has one; here an answer without one does not do: nothing else tells a change. */
function isOfVersion({ validator, header }: SourceBody, listed: string | undefined): boolean {
  return (
    listed !== undefined &&
    [validator, header['etag'], header['last-modified']].some(
      (told) => told !== undefined && strong(told) === strong(listed),
    )
  );
}

function strong(validator: string): string {
  return validator.replace(/^W\//, '');
}

function stagesOf(files: readonly BundledFile[], start: number, end: number): Stage[] {
  const stages: Stage[] = [];
  let stage: BundledFile[] = [];
  let lengthBytes = 0;
  const close = (): void => {
    const [first] = stage;
    if (first) stages.push({ files: stage, offsetBytes: first.offsetBytes, lengthBytes });
    [stage, lengthBytes] = [[], 0];
  };
  for (const file of files) {
    const fileEnd = file.offsetBytes + file.lengthBytes;
    // One without bytes is compared with the listing by whoever brings what lies before it.
    const isIn =
      file.lengthBytes > 0 ? file.offsetBytes < end && fileEnd > start : isEmptyIn(file.offsetBytes, start, end);
    if (!isIn) continue;
    if (lengthBytes + file.lengthBytes > blockBytes) close();
    stage.push(file);
    lengthBytes += file.lengthBytes;
  }
  close();
  return stages;
}

function isEmptyIn(offsetBytes: number, start: number, end: number): boolean {
  return offsetBytes === 0 ? start === 0 : offsetBytes > start && offsetBytes <= end;
}

function changed({ url }: SourceRequest, { path, lengthBytes }: BundledFile, what: string): DragonflyError {
  return new DragonflyError('SOURCE_CHANGED', `${redact(url + path)} is not as its directory lists it: it ${what}`, {
    hint: `It was listed with ${lengthBytes} bytes. Download it again.`,
  });
}
