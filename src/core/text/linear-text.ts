/**
 * Reading texts of others in time linear in their length. JavaScript's expressions backtrack: `/\/+$/` and `/<([^>]+)>/` look harmless,
 * and take seconds for 64 KiB of slashes or brackets.
 */

/** The text without what it ends with of this one character. */
export function withoutTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end -= 1;
  return text.slice(0, end);
}

/** Without blanks and tabs at both ends; other white space stays. */
export function withoutBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** What stands between the two marks, wherever both do. */
export function* between(text: string, [opening, closing]: readonly [string, string]): Generator<string> {
  for (let at = text.indexOf(opening); at !== -1;) {
    const start = at + opening.length;
    const end = text.indexOf(closing, start);
    if (end === -1) return;
    yield text.slice(start, end);
    at = text.indexOf(opening, end + closing.length);
  }
}
