/**
 * Text for terminals. Names and messages come from other machines, and what controls a terminal in them would write over what else stands
 * there, or turn the order of what is read.
 */
const controls = /[\0-\x08\x0B-\x1F\x7F-\x9F\u202A-\u202E\u2066-\u2069]/g;

/** Line breaks and tabs stay. */
export function printable(text: string): string {
  return text.replace(controls, '\uFFFD');
}
