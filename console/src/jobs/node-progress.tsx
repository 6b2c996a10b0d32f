/** One node of a job: what it holds in one line, and its blobs behind it. */
import ExpandMoreIcon from '@mui/icons-material/ExpandMore';
import VerifiedIcon from '@mui/icons-material/Verified';
import Accordion from '@mui/material/Accordion';
import AccordionDetails from '@mui/material/AccordionDetails';
import AccordionSummary from '@mui/material/AccordionSummary';
import Box from '@mui/material/Box';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useId, type ReactNode } from 'react';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { BlobTable } from './blob-table.tsx';
import type { JobNode } from './job-queries.ts';
import { summaryOf } from './progress-figures.ts';

export function NodeProgress({ node, open }: { readonly node: JobNode; readonly open: boolean }): ReactNode {
  const t = useText();
  const id = useId();
  const { bytes } = useFormats();
  const { held, wanted, verified, failed } = summaryOf(node.blobs);
  const kind = node.host_type === '' ? '' : t(node.host_type === 'normal' ? 'swarm.normal' : 'swarm.seed');
  return (
    <Accordion
      disableGutters
      defaultExpanded={open || failed > 0}
      variant="outlined"
      slotProps={{ transition: { unmountOnExit: true } }}
    >
      <AccordionSummary id={id} aria-controls={`${id}-panel`} expandIcon={<ExpandMoreIcon />}>
        <Stack direction="row" useFlexGap spacing={1.5} sx={{ flex: 1, flexWrap: 'wrap', alignItems: 'center', pr: 1 }}>
          <Box sx={{ flex: '1 1 160px', minWidth: 0 }}>
            <Typography sx={{ overflowWrap: 'anywhere', fontWeight: 600 }}>
              {node.host_name || node.ip || t('jobs.noHost')}
            </Typography>
            <Typography variant="caption" color="textSecondary">
              {[node.ip, kind].filter((part) => part !== '').join(' · ')}
            </Typography>
          </Box>
          <Typography variant="body2" color="textSecondary">
            {wanted > 0 ? t('jobs.bytesOf', { held: bytes(held), wanted: bytes(wanted) }) : ''}
          </Typography>
          <Typography
            variant="body2"
            color={failed > 0 ? 'error' : 'textSecondary'}
            sx={{ display: 'flex', gap: 0.5, alignItems: 'center' }}
          >
            {verified === node.blobs.length && <VerifiedIcon color="success" fontSize="small" />}
            {failed > 0
              ? t('jobs.blobsFailed', { failed })
              : t('jobs.blobsVerified', { verified, total: node.blobs.length })}
          </Typography>
        </Stack>
      </AccordionSummary>
      <AccordionDetails sx={{ px: { xs: 0.5, sm: 2 } }}>
        <BlobTable label={t('jobs.blobsOf', { name: node.host_name })} blobs={node.blobs} />
      </AccordionDetails>
    </Accordion>
  );
}
