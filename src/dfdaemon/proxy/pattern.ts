/** Regular expressions of configuration files are written for Go or Rust; this reads the constructs that differ. */

/** Leading flag groups such as `(?i)` become flags, `\z` and `\A` become `$` and `^`. Undefined when it does not compile. */
export function compilePattern(text: string): RegExp | undefined {
  const flags = /^\(\?([ims]+)\)/.exec(text);
  const body = (flags ? text.slice(flags[0].length) : text)
    .replace(/(?<!\\)((?:\\\\)*)\\A/g, '$1^')
    .replace(/(?<!\\)((?:\\\\)*)\\z/g, '$1$')
    .replace(/\(\?P</g, '(?<');
  try {
    return new RegExp(body, flags?.[1] ?? '');
  } catch {
    return undefined;
  }
}

/** `${1}` and `${name}` of Go and Rust as JavaScript writes them. */
export function compileReplacement(text: string): string {
  return text.replace(/\$\{(\d+)\}/g, '$$$1').replace(/\$\{([a-zA-Z_]\w*)\}/g, '$$<$1>');
}
