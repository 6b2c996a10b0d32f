/** Text for terminals of 80 columns. */

/** Breaks each line between words and indents continuations. Longer words, such as paths, stay whole. */
export function wrapped(text: string, { columns = 80, indent = '  ' } = {}): string {
  return text
    .split('\n')
    .flatMap((line) => {
      const lines: string[] = [];
      for (const word of line.split(' ')) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
        else lines.push(last === undefined ? word : `${indent}${word}`);
      }
      return lines;
    })
    .join('\n');
}
