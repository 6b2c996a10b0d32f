/** What happened, in the manager's words, and what to do about it. */
import Alert from '@mui/material/Alert';
import AlertTitle from '@mui/material/AlertTitle';
import Button from '@mui/material/Button';
import type { ReactNode } from 'react';
import { ApiError } from '../api/errors.ts';
import { useText } from '../i18n/language.tsx';
import type { PlainKey, Translate } from '../i18n/text.ts';

interface ErrorNoticeProps {
  readonly error: unknown;
  readonly retry?: (() => void) | undefined;
}

export function ErrorNotice({ error, retry }: ErrorNoticeProps): ReactNode {
  const t = useText();
  const { title, text, hint } = explain(error, t);
  return (
    <Alert
      severity="error"
      action={
        retry && (
          <Button color="inherit" size="small" onClick={retry}>
            {t('common.retry')}
          </Button>
        )
      }
    >
      <AlertTitle>{title}</AlertTitle>
      {text}
      {hint !== undefined && <div>{hint}</div>}
    </Alert>
  );
}

/** One sentence, for where there is no room for more. */
export function errorText(error: unknown, t: Translate): string {
  const { title, text } = explain(error, t);
  return text === '' ? title : `${title}: ${text}`;
}

interface Explanation {
  readonly title: string;
  readonly text: string;
  readonly hint?: string | undefined;
}

function explain(error: unknown, t: Translate): Explanation {
  if (!(error instanceof ApiError))
    return { title: t('error.unexpected'), text: error instanceof Error ? error.message : '' };
  const title = t(titles[error.status] ?? (error.status >= 500 ? 'error.manager' : 'error.unexpected'));
  const hint = error.hint ?? (error.status === 0 ? t('error.unreachableHint') : undefined);
  return { title, text: error.message, hint };
}

const titles: Readonly<Record<number, PlainKey>> = {
  0: 'error.unreachable',
  401: 'error.signedOut',
  403: 'error.forbidden',
  404: 'error.notFound',
  409: 'error.conflict',
  412: 'error.refused',
  400: 'error.refused',
  422: 'error.invalid',
  429: 'error.tooMany',
};
