import type { Translate } from '../i18n/text.ts';

const minLength = 8;
const maxLength = 72;

/** What is wrong with a new password; the manager has the last word. */
export function passwordProblem(password: string, t: Translate): string | undefined {
  if (password.length < minLength) return t('form.tooShort', { min: minLength });
  return password.length > maxLength ? t('form.tooLong', { max: maxLength }) : undefined;
}
