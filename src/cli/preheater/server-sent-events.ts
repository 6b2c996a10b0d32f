/** `text/event-stream`, as managers write it. */
import { DragonflyError } from '../../core/errors.ts';

export interface ServerSentEvent {
  readonly name: string;
  readonly data: string;
}

/** Bytes of one event, of which the longest lists what changed. */
const maxEventLength = 1024 * 1024;

/** Ends with the response. Throws PROTOCOL for an event that does not end, and what reading throws. */
export async function* serverSentEvents({ body }: Pick<Response, 'body'>): AsyncGenerator<ServerSentEvent> {
  if (!body) return;
  let rest = '';
  const text = body.pipeThrough(new TextDecoderStream());
  for await (const part of text) {
    rest += part;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      yield parsed(rest.slice(0, end));
      rest = rest.slice(end + 2);
    }
    if (rest.length > maxEventLength) throw new DragonflyError('PROTOCOL', 'the manager sends an event without an end');
  }
}

function parsed(text: string): ServerSentEvent {
  const fields = text.split('\n').map((line) => /^(\w+): ?(.*)$/.exec(line) ?? []);
  const of = (wanted: string): string[] => fields.flatMap(([, name, value = '']) => (name === wanted ? [value] : []));
  return { name: of('event').at(-1) ?? 'message', data: of('data').join('\n') };
}
