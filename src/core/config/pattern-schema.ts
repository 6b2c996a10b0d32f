/** A regular expression in a configuration or a request: an invalid one is rejected with the reason and a suggestion. */
import { z } from 'zod';
import { patternProblem } from '../pattern.ts';

export function patternSchema(maxLength: number): z.ZodString {
  return z
    .string()
    .max(maxLength)
    .superRefine((text, context) => {
      const problem = patternProblem(text);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: `"${text}" ${problem}` });
    });
}
