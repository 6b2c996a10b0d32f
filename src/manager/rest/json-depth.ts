/** Measures the nesting depth of a JSON text before it is parsed, because the value is later walked recursively. */
import { DragonflyError } from '../../core/errors.ts';
import { maxJsonDepth } from '../limits.ts';

/** Throws INVALID_ARGUMENT. */
export function requireShallow(json: string): void {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at];
    if (isText) {
      if (character === '\\') at += 1;
      else if (character === '"') isText = false;
    } else if (character === '"') isText = true;
    else if (character === ']' || character === '}') depth -= 1;
    else if ((character === '[' || character === '{') && (depth += 1) > maxJsonDepth)
      throw new DragonflyError('INVALID_ARGUMENT', `the body nests more than ${maxJsonDepth} deep`);
  }
}
