import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { Rule } from './rule-queries.ts';

/** When a rule acts, in words. */
export function useTriggerText(): (rule: Rule) => string {
  const t = useText();
  const { duration } = useFormats();
  return ({ on_push: onPush, interval_seconds: seconds }) => {
    const ways = [
      onPush ? t('replication.onPush') : '',
      seconds > 0 ? t('replication.every', { time: duration(seconds * 1000) }) : '',
    ];
    return ways.filter(Boolean).join(' · ') || t('replication.whenAsked');
  };
}
