/**
 * Regular expressions that users store and the manager runs. The original's engine is linear; this one backtracks, so
 * patterns whose matching could take exponential or high polynomial time are refused.
 */

/** Each unbounded repetition multiplies the work by the text's length, at most 255 for a host name. */
const maxUnboundedRepetitions = 3;

/** Compiles; repeats no group that itself repeats or chooses; has no back-reference or look-around. */
export function isSafePattern(pattern: string): boolean {
  try {
    new RegExp(pattern);
  } catch {
    return false;
  }
  /** Whether the open groups, outermost first, contain a repetition or a choice. */
  const groups: boolean[] = [];
  let closed: boolean | undefined;
  let unbounded = 0;
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index];
    const repetition = /^(?:[*+]|\{\d+(?:,\d*)?\})/.exec(pattern.slice(index, index + 12))?.[0];
    if (repetition !== undefined) {
      if (closed === true) return false;
      if (!/^\{\d+(?:,\d+)?\}$/.test(repetition)) unbounded += 1;
      if (groups.length > 0) groups[groups.length - 1] = true;
      closed = undefined;
      index += repetition.length - 1;
      continue;
    }
    closed = undefined;
    if (character === '\\') {
      if (/[1-9k]/.test(pattern[index + 1] ?? '')) return false;
      index += 1;
    } else if (character === '[') {
      index = classEnd(pattern, index);
    } else if (character === '(') {
      if (/^\(\?(?:=|!|<=|<!)/.test(pattern.slice(index))) return false;
      groups.push(false);
    } else if (character === ')') {
      closed = groups.pop() ?? false;
      if (closed && groups.length > 0) groups[groups.length - 1] = true;
    } else if (character === '|' && groups.length > 0) {
      groups[groups.length - 1] = true;
    }
  }
  return unbounded <= maxUnboundedRepetitions;
}

function classEnd(pattern: string, start: number): number {
  for (let index = start + 1; index < pattern.length; index += 1) {
    if (pattern[index] === '\\') index += 1;
    else if (pattern[index] === ']') return index;
  }
  return pattern.length;
}
