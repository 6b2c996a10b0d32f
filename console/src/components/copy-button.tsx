import CheckIcon from '@mui/icons-material/Check';
import ContentCopyIcon from '@mui/icons-material/ContentCopy';
import IconButton from '@mui/material/IconButton';
import Tooltip from '@mui/material/Tooltip';
import { useState, type ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';
import { useNotify } from './toasts.tsx';

const shownMs = 1_500;

export function CopyButton({ text, label }: { readonly text: string; readonly label?: string }): ReactNode {
  const t = useText();
  const notify = useNotify();
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await writeClipboard(text);
      setCopied(true);
      setTimeout(() => setCopied(false), shownMs);
    } catch {
      notify.failed(t('common.copyFailed'));
    }
  };
  const title = copied ? t('common.copied') : (label ?? t('common.copy'));
  return (
    <Tooltip title={title}>
      <IconButton size="small" aria-label={title} onClick={() => void copy()}>
        {copied ? <CheckIcon fontSize="inherit" color="success" /> : <ContentCopyIcon fontSize="inherit" />}
      </IconButton>
    </Tooltip>
  );
}

async function writeClipboard(text: string): Promise<void> {
  // Pages served over plain HTTP from another machine have no clipboard object.
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  try {
    area.select();
    if (!document.execCommand('copy')) throw new Error('the browser refused to copy');
  } finally {
    area.remove();
  }
}
