/** A page that could not be shown: a bug, or its code could not be loaded after an upgrade of the manager. */
import Container from '@mui/material/Container';
import type { ReactNode } from 'react';
import { useRouteError } from 'react-router';
import { ErrorNotice } from '../components/error-notice.tsx';

export function RouteError(): ReactNode {
  const error = useRouteError();
  return (
    <Container sx={{ py: 4 }}>
      <ErrorNotice error={error} retry={() => window.location.reload()} />
    </Container>
  );
}
