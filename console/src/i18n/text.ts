/**
 * Texts by key. English is the dictionary that says which keys there are and which values a text takes; every other
 * language has to have the same keys. Values stand in braces, `{name}`; a count may choose its noun, `{count:peer:peers}`.
 */
import type { en } from './en/index.ts';

export type TextKey = keyof typeof en;
export type Dictionary = Readonly<Record<TextKey, string>>;

type NamesIn<Text extends string> = Text extends `${string}{${infer Slot}}${infer Rest}`
  ? (Slot extends `${infer Name}:${string}` ? Name : Slot) | NamesIn<Rest>
  : never;

/** Keys of texts that take no values: what tables of keys are made of. */
export type PlainKey = { [Key in TextKey]: NamesIn<(typeof en)[Key]> extends never ? Key : never }[TextKey];

type Value = string | number;
type Values<Key extends TextKey> = { readonly [Name in NamesIn<(typeof en)[Key]>]: Value };

/** The text of a key; the second argument is there exactly when the text takes values. */
export type Translate = <Key extends TextKey>(
  key: Key,
  ...values: NamesIn<(typeof en)[Key]> extends never ? [] : [Values<Key>]
) => string;

export function translator(dictionary: Dictionary, locale: string): Translate {
  const numbers = new Intl.NumberFormat(locale);
  const shown = (value: Value): string => (typeof value === 'number' ? numbers.format(value) : value);
  return (key, ...[values]) => {
    const text = dictionary[key];
    if (!values) return text;
    return text.replace(/\{(\w+)(?::([^:}]*):([^}]*))?\}/g, (_slot, name: string, one?: string, many?: string) => {
      const value = (values as Readonly<Record<string, Value>>)[name] ?? '';
      return one === undefined ? shown(value) : `${shown(value)} ${value === 1 ? one : many}`;
    });
  };
}
