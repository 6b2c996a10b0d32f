/**
 * Parses multipart/form-data (RFC 7578) as a stream: short fields are kept, the content of the one file is passed on.
 * Strict: anything ambiguous is an error.
 */
import { DragonflyError } from '../../../../../core/errors.ts';

export interface FormFile {
  /** Takes a block; resolves when the next one may come. */
  readonly write: (block: Buffer) => Promise<void>;
  /** The file is complete. */
  readonly end: () => Promise<void>;
}

export interface FormDataOptions {
  readonly boundary: string;
  /** Called for the field of that name, before its content. */
  readonly file: { readonly name: string; readonly open: (contentType: string | undefined) => FormFile };
}

/** Bounds: the header of one field, the content of one that is no file, and the fields of a form. */
const headBytes = 8 * 1024;
const valueBytes = 64 * 1024;
const mostFields = 32;

type State = 'head' | 'value' | 'file' | 'end';

/** The boundary a header names. Throws INVALID_ARGUMENT. */
export function boundaryOf(contentType: string | undefined): string {
  const [, quoted, plain] =
    /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw invalid('the body is not multipart/form-data');
  return boundary;
}

export class FormData {
  readonly fields = new Map<string, string>();
  readonly #options: FormDataOptions;
  readonly #delimiter: Buffer;
  #state: State = 'value';
  /** Bytes that may be the beginning of a delimiter, or an incomplete head. */
  #rest: Buffer;
  #value: Buffer[] = [];
  #valueBytes = 0;
  #name: string | undefined;
  #file: FormFile | undefined;
  #hadFile = false;

  constructor(options: FormDataOptions) {
    this.#options = options;
    this.#delimiter = Buffer.from(`\r\n--${options.boundary}`);
    this.#rest = Buffer.from('\r\n'); // as if a line had ended before the first delimiter
  }

  /** Throws INVALID_ARGUMENT. */
  async write(block: Buffer): Promise<void> {
    let data = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block]);
    for (;;) {
      const left = this.#state === 'head' ? this.#head(data) : await this.#content(data);
      if (left === undefined) return;
      data = left;
    }
  }

  /** Throws INVALID_ARGUMENT when the form has not come to its end, or has no file. */
  requireFile(): void {
    if (this.#state !== 'end') throw invalid('the form ends before its end');
    if (!this.#hadFile) throw invalid(`the form has no file named ${this.#options.file.name}`);
  }

  /** Returns what follows the head; undefined when more bytes are needed. */
  #head(data: Buffer): Buffer | undefined {
    // A delimiter is followed by two dashes at the end of the form, otherwise by the end of the line.
    if (data.length < 2) return this.#keep(data);
    if (data.toString('latin1', 0, 2) === '--') {
      this.#state = 'end';
      return this.#keep(Buffer.alloc(0));
    }
    if (data.toString('latin1', 0, 2) !== '\r\n') throw invalid('a boundary is followed by something else');
    const end = data.indexOf('\r\n\r\n');
    if (end === -1) {
      if (data.length > headBytes) throw invalid('the header of a field is too long');
      return this.#keep(data);
    }
    this.#begin(data.toString('utf8', 2, Math.max(2, end)));
    return data.subarray(end + 4);
  }

  #begin(head: string): void {
    if (this.fields.size >= mostFields) throw invalid('the form has too many fields');
    const lines = head.split('\r\n');
    const disposition = lines.find((line) => /^content-disposition\s*:/i.test(line)) ?? '';
    const name = /;\s*name="([^"]*)"/i.exec(disposition)?.[1];
    if (name === undefined) throw invalid('a field has no name');
    this.#name = name;
    this.#value = [];
    this.#valueBytes = 0;
    this.#state = 'value';
    if (name !== this.#options.file.name) return;
    if (this.#hadFile) throw invalid('the form has two files');
    this.#hadFile = true;
    const type = lines.map((line) => /^content-type\s*:\s*(.*)$/i.exec(line)?.[1]).find((each) => each !== undefined);
    this.#file = this.#options.file.open(type?.trim());
    this.#state = 'file';
  }

  /** Returns what follows the delimiter; undefined when more bytes are needed. */
  async #content(data: Buffer): Promise<Buffer | undefined> {
    if (this.#state === 'end') return this.#keep(Buffer.alloc(0)); // what follows the end is ignored
    const end = data.indexOf(this.#delimiter);
    // The last bytes may be the beginning of a delimiter.
    const sure = end === -1 ? Math.max(0, data.length - this.#delimiter.length + 1) : end;
    await this.#take(data.subarray(0, sure));
    if (end === -1) return this.#keep(data.subarray(sure));
    if (this.#state === 'file') await this.#file?.end();
    else if (this.#name !== undefined) this.fields.set(this.#name, Buffer.concat(this.#value).toString('utf8'));
    this.#state = 'head';
    return data.subarray(end + this.#delimiter.length);
  }

  async #take(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    if (this.#state === 'file') return this.#file?.write(bytes);
    this.#valueBytes += bytes.length;
    if (this.#valueBytes > valueBytes) throw invalid('a field of the form is too long');
    this.#value.push(Buffer.from(bytes));
  }

  #keep(rest: Buffer): undefined {
    this.#rest = Buffer.from(rest);
    return undefined;
  }
}

function invalid(message: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', message, { hint: 'Send the file as curl -F file=@PATH does.' });
}
