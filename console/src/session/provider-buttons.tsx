import Button from '@mui/material/Button';
import Stack from '@mui/material/Stack';
import type { ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';

const names: Readonly<Record<string, string>> = { github: 'GitHub', google: 'Google' };

/** The way over a provider is a page load: it ends with a redirect back here. */
export function ProviderButtons({ providers }: { readonly providers: readonly string[] }): ReactNode {
  const t = useText();
  return (
    <Stack spacing={1}>
      {providers.map((provider) => (
        <Button
          key={provider}
          variant="outlined"
          href={new URL(`api/v1/users/signin/${provider}`, document.baseURI).href}
        >
          {t('signIn.with', { provider: names[provider] ?? provider })}
        </Button>
      ))}
    </Stack>
  );
}
