/** The blobs of one node. */
import VerifiedIcon from '@mui/icons-material/Verified';
import Box from '@mui/material/Box';
import LinearProgress from '@mui/material/LinearProgress';
import Table from '@mui/material/Table';
import TableBody from '@mui/material/TableBody';
import TableCell from '@mui/material/TableCell';
import TableContainer from '@mui/material/TableContainer';
import TableHead from '@mui/material/TableHead';
import TableRow from '@mui/material/TableRow';
import Tooltip from '@mui/material/Tooltip';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { CopyButton } from '../components/copy-button.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { JobBlob } from './job-queries.ts';

/** On a phone the amount stands below the name, and the proof in place of the state. */
const fromTablet = { display: { xs: 'none', sm: 'table-cell' } };

export function BlobTable({ label, blobs }: { readonly label: string; readonly blobs: readonly JobBlob[] }): ReactNode {
  const t = useText();
  return (
    <TableContainer tabIndex={0} role="group" aria-label={label}>
      <Table size="small" aria-label={label}>
        <TableHead>
          <TableRow>
            <TableCell>{t('jobs.blob')}</TableCell>
            <TableCell>{t('field.state')}</TableCell>
            <TableCell sx={{ ...fromTablet, minWidth: 140 }}>{t('jobs.held')}</TableCell>
            <TableCell sx={fromTablet}>{t('jobs.proof')}</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {blobs.map((blob) => (
            <BlobRow key={`${blob.task_id} ${blob.url}`} blob={blob} />
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}

function BlobRow({ blob }: { readonly blob: JobBlob }): ReactNode {
  const t = useText();
  const { bytes } = useFormats();
  const { content_length: wanted, finished_bytes: held } = blob;
  const amount = wanted > 0 ? t('jobs.bytesOf', { held: bytes(held), wanted: bytes(wanted) }) : bytes(held);
  return (
    <TableRow>
      <TableCell>
        <Box sx={{ display: 'flex', alignItems: 'center', gap: 0.5 }}>
          {blob.task_id === '' ? (
            shortName(blob.url)
          ) : (
            <TextLink to={`/tasks/${blob.task_id}`}>{shortName(blob.url)}</TextLink>
          )}
          <CopyButton text={blob.url} label={t('common.copyUrl')} />
        </Box>
        <Typography variant="caption" color="textSecondary" component="div" sx={{ display: { sm: 'none' } }}>
          {amount}
        </Typography>
        {blob.error !== '' && (
          <Typography variant="body2" color="error" sx={{ overflowWrap: 'anywhere' }}>
            {blob.error}
          </Typography>
        )}
      </TableCell>
      <TableCell>
        {blob.verified && (
          <Box sx={{ display: { sm: 'none' } }}>
            <Verified />
          </Box>
        )}
        <Box sx={{ display: { xs: blob.verified ? 'none' : 'block', sm: 'block' } }}>
          <StateChip state={blob.state} />
        </Box>
      </TableCell>
      <TableCell sx={fromTablet}>
        <Typography variant="body2">{amount}</Typography>
        {blob.state === 'RUNNING' && (
          <LinearProgress
            aria-label={shortName(blob.url)}
            {...(wanted > 0 && { variant: 'determinate', value: (held / wanted) * 100 })}
          />
        )}
      </TableCell>
      <TableCell sx={fromTablet}>{blob.verified ? <Verified /> : '–'}</TableCell>
    </TableRow>
  );
}

function Verified(): ReactNode {
  const t = useText();
  return (
    <Tooltip describeChild title={t('jobs.verifiedHint')}>
      <Box component="span" sx={{ display: 'flex', alignItems: 'center', gap: 0.5, color: 'success.main' }}>
        <VerifiedIcon fontSize="small" />
        {t('jobs.verified')}
      </Box>
    </Tooltip>
  );
}

/** A blob by its digest, anything else by the end of its path. */
function shortName(url: string): string {
  const digest = /sha\d+:([0-9a-f]{12})/.exec(url)?.[0];
  if (digest !== undefined) return digest;
  return url.split(/[?#]/, 1)[0]?.split('/').filter(Boolean).at(-1) ?? url;
}
