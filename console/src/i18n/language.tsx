/** Which language is spoken, and the texts in it. Chinese is loaded when it is wanted. */
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { en } from './en/index.ts';
import { translator, type Dictionary, type Translate } from './text.ts';

export const languages = ['en', 'zh'] as const;
export type Language = (typeof languages)[number];

const storageKey = 'dragonfly-language';
const locales: Readonly<Record<Language, string>> = { en: 'en', zh: 'zh-CN' };

interface Spoken {
  readonly language: Language;
  readonly locale: string;
  readonly t: Translate;
  readonly speak: (language: Language) => void;
}

const SpokenContext = createContext<Spoken | undefined>(undefined);

export function LanguageProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [spoken, setSpoken] = useState<{ language: Language; dictionary: Dictionary }>({
    language: 'en',
    dictionary: en,
  });
  const [wanted, setWanted] = useState<Language>(preferredLanguage);
  useEffect(() => {
    let current = true;
    void dictionaryOf(wanted).then((dictionary) => {
      if (current) setSpoken({ language: wanted, dictionary });
    });
    return () => {
      current = false;
    };
  }, [wanted]);
  const { language, dictionary } = spoken;
  useEffect(() => {
    document.documentElement.lang = locales[language];
  }, [language]);
  const value = useMemo<Spoken>(
    () => ({
      language,
      locale: locales[language],
      t: translator(dictionary, locales[language]),
      speak: (next) => {
        localStorage.setItem(storageKey, next);
        setWanted(next);
      },
    }),
    [language, dictionary],
  );
  return <SpokenContext value={value}>{children}</SpokenContext>;
}

export function useLanguage(): Spoken {
  const spoken = useContext(SpokenContext);
  if (!spoken) throw new Error('useLanguage outside of LanguageProvider');
  return spoken;
}

export function useText(): Translate {
  return useLanguage().t;
}

async function dictionaryOf(language: Language): Promise<Dictionary> {
  return language === 'zh' ? (await import('./zh/index.ts')).zh : en;
}

function preferredLanguage(): Language {
  const chosen = localStorage.getItem(storageKey) ?? navigator.language;
  return chosen.startsWith('zh') ? 'zh' : 'en';
}
