/** Figures and times as people read them, in the spoken language. */
import { useMemo } from 'react';
import { useLanguage } from './language.tsx';

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export interface Formats {
  readonly number: (value: number) => string;
  readonly bytes: (bytes: number) => string;
  readonly rate: (bytesPerSec: number) => string;
  readonly percent: (share: number) => string;
  readonly duration: (ms: number) => string;
  readonly dateTime: (instant: Date) => string;
  /** How long ago or until when: “3 minutes ago”. */
  readonly relative: (instant: Date, now: Date) => string;
}

export function useFormats(): Formats {
  const { locale } = useLanguage();
  return useMemo(() => formatsOf(locale), [locale]);
}

function formatsOf(locale: string): Formats {
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const bytes = (value: number): string => {
    const power = value < 1 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log2(value) / 10));
    const scaled = value / 1024 ** power;
    return `${number.format(Number(scaled.toPrecision(3)))} ${byteUnits[power]}`;
  };
  return {
    number: (value) => number.format(value),
    bytes,
    rate: (bytesPerSec) => `${bytes(bytesPerSec)}/s`,
    percent: (share) => percent.format(share),
    duration: (ms) => durationText(ms, locale),
    dateTime: (instant) => dateTime.format(instant),
    relative: (instant, now) => relativeText(relative, (instant.getTime() - now.getTime()) / 1000),
  };
}

const spans = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

function durationText(ms: number, locale: string): string {
  const seconds = Math.max(0, ms / 1000);
  const [unit, length] = spans.find(([, span]) => seconds >= span) ?? spans[3];
  const digits = unit === 'second' && seconds < 10 ? 1 : 0;
  const format = new Intl.NumberFormat(locale, {
    style: 'unit',
    unit,
    maximumFractionDigits: digits,
    unitDisplay: 'short',
  });
  return format.format(seconds / length);
}

function relativeText(format: Intl.RelativeTimeFormat, seconds: number): string {
  const [unit, length] = spans.find(([, span]) => Math.abs(seconds) >= span) ?? spans[3];
  return format.format(Math.round(seconds / length), unit);
}
