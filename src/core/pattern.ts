/**
 * Regular expressions from configurations, users and managers. They run in time linear in the text, whatever the
 * expression (RE2, as in Go; the syntax is that of Go and Rust): JavaScript's engine backtracks, and a harmless-looking
 * expression can keep it busy with one URL for minutes.
 */
import { createRequire } from 'node:module';
import { LRUCache } from 'lru-cache';
import type * as Re2 from 're2js';

/** Maximum number of characters examined; servers accept no longer URLs. */
const maxTextLength = 64 * 1024;
/** Longest expression. */
const maxPatternLength = 4096;
/** Compiled expressions kept: each takes a millisecond to compile and some KiB. */
const cachedPatterns = 1000;

export class Pattern {
  readonly #expression: Re2.RE2JS;

  /** Use `compilePattern`. */
  constructor(expression: Re2.RE2JS) {
    this.#expression = expression;
  }

  /** Whether it matches anywhere in the text, unless anchored. */
  test(text: string): boolean {
    return this.#expression.test(text.slice(0, maxTextLength));
  }

  /** @param replacement with `$1`, `${1}`, `$name` or `${name}` for groups. */
  replaceAll(text: string, replacement: string): string {
    return this.#expression.matcher(text.slice(0, maxTextLength)).replaceAll(javaScriptReplacement(replacement));
  }
}

/** Loaded on first use: many processes use no expressions. */
const engine = (): typeof Re2 => createRequire(import.meta.url)('re2js') as typeof Re2;

const compiled = new LRUCache<string, { readonly pattern?: Pattern; readonly problem?: string }>({
  max: cachedPatterns,
});

/** Undefined when it does not compile; `patternProblem` says why. */
export function compilePattern(text: string): Pattern | undefined {
  return compiledOnce(text).pattern;
}

/** What is wrong with an expression and what to write instead; undefined when it is valid. */
export function patternProblem(text: string): string | undefined {
  return compiledOnce(text).problem;
}

function compiledOnce(text: string): { readonly pattern?: Pattern; readonly problem?: string } {
  const known = compiled.get(text);
  if (known) return known;
  const result = compile(text);
  compiled.set(text, result);
  return result;
}

function compile(text: string): { pattern: Pattern } | { problem: string } {
  if (text.length > maxPatternLength) return { problem: `is longer than ${maxPatternLength} characters` };
  try {
    return { pattern: new Pattern(engine().RE2JS.compile(text)) };
  } catch (error) {
    return { problem: `is not a regular expression that can be used: ${(error as Error).message}${remedy(text)}` };
  }
}

function remedy(text: string): string {
  if (/\(\?<?[=!]/.test(text))
    return ' (look-ahead and look-behind are not supported, as in Go and Rust: write what must match, or two expressions)';
  if (/\\[1-9]|\\k</.test(text)) return ' (back references are not supported, as in Go and Rust)';
  return ' (the syntax is that of Go)';
}

/** Converts `${1}`, `${name}` and `$name` of Go and Rust to JavaScript's form. */
function javaScriptReplacement(text: string): string {
  return text
    .replace(/\$\{(\d+)\}/g, '$$$1')
    .replace(/\$\{([a-zA-Z_]\w*)\}/g, '$$<$1>')
    .replace(/\$([a-zA-Z_]\w*)/g, '$$<$1>');
}
