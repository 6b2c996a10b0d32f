/** Everything around the pages: colours, language, data, routes. */
import CssBaseline from '@mui/material/CssBaseline';
import { ThemeProvider } from '@mui/material/styles';
import { QueryClientProvider } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { RouterProvider } from 'react-router/dom';
import { createQueryClient } from '../api/query-client.ts';
import { Toasts } from '../components/toasts.tsx';
import { LanguageProvider } from '../i18n/language.tsx';
import { sessionKey } from '../session/session-query.ts';
import { createRouter } from './router.tsx';
import { theme } from './theme.ts';

export function App(): ReactNode {
  const [{ router, client }] = useState(createParts);
  return (
    <ThemeProvider theme={theme} defaultMode="system" modeStorageKey="dragonfly-scheme">
      <CssBaseline />
      <LanguageProvider>
        <QueryClientProvider client={client}>
          <Toasts>
            <RouterProvider router={router} />
          </Toasts>
        </QueryClientProvider>
      </LanguageProvider>
    </ThemeProvider>
  );
}

function createParts() {
  const router = createRouter();
  const client = createQueryClient(() => {
    // Whoever waits for the session learns that there is none, and shows the way to the sign-in page.
    client.setQueryData(sessionKey, null);
  });
  return { router, client };
}
