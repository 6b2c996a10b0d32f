import TranslateIcon from '@mui/icons-material/Translate';
import IconButton from '@mui/material/IconButton';
import Tooltip from '@mui/material/Tooltip';
import type { ReactNode } from 'react';
import { useLanguage } from '../i18n/language.tsx';

/** Offers the other language, named in itself. */
export function LanguageButton(): ReactNode {
  const { language, speak } = useLanguage();
  const [other, name] = language === 'en' ? (['zh', '中文'] as const) : (['en', 'English'] as const);
  return (
    <Tooltip title={name}>
      <IconButton aria-label={name} onClick={() => speak(other)}>
        <TranslateIcon fontSize="small" />
      </IconButton>
    </Tooltip>
  );
}
