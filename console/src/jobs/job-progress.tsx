/** How far a job is, on every node and for every blob, with each node's own word that it holds the bytes. */
import ExpandMoreIcon from '@mui/icons-material/ExpandMore';
import VerifiedIcon from '@mui/icons-material/Verified';
import Accordion from '@mui/material/Accordion';
import AccordionDetails from '@mui/material/AccordionDetails';
import AccordionSummary from '@mui/material/AccordionSummary';
import Box from '@mui/material/Box';
import LinearProgress from '@mui/material/LinearProgress';
import Stack from '@mui/material/Stack';
import Typography from '@mui/material/Typography';
import { useId, type ReactNode } from 'react';
import { Section } from '../components/section.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { BlobTable } from './blob-table.tsx';
import type { JobBlob, JobNode, JobProgress } from './job-queries.ts';

/** Nodes whose blobs are shown from the beginning. */
const openNodes = 3;

interface JobProgressProps {
  readonly progress: JobProgress;
  readonly running: boolean;
}

export function JobProgressSection({ progress, running }: JobProgressProps): ReactNode {
  const t = useText();
  const { percent } = useFormats();
  const { total, succeeded, failed, running: active, pending, nodes } = progress;
  const share = total === 0 ? 0 : (succeeded + failed) / total;
  return (
    <Section title={t('jobs.progress')} about={t('jobs.progressText', { succeeded, failed, running: active, pending })}>
      <Stack spacing={2}>
        <Stack direction="row" spacing={2} sx={{ alignItems: 'center' }}>
          <LinearProgress
            variant="determinate"
            value={share * 100}
            color={failed > 0 ? 'error' : running ? 'primary' : 'success'}
            aria-label={t('jobs.progress')}
            sx={{ flex: 1, height: 8, borderRadius: 4 }}
          />
          <Typography variant="body2">{percent(share)}</Typography>
        </Stack>
        <div>
          {nodes.map((node, index) => (
            <NodeProgress
              key={`${node.scheduler_cluster_id} ${node.host_name} ${node.ip}`}
              node={node}
              open={index < openNodes}
            />
          ))}
        </div>
      </Stack>
    </Section>
  );
}

function NodeProgress({ node, open }: { readonly node: JobNode; readonly open: boolean }): ReactNode {
  const t = useText();
  const id = useId();
  const { bytes } = useFormats();
  const { held, wanted, verified, failed } = summaryOf(node.blobs);
  return (
    <Accordion
      disableGutters
      defaultExpanded={open}
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
              {[node.ip, node.host_type].filter((part) => part !== '').join(' · ')}
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
      <AccordionDetails>
        <BlobTable label={t('jobs.blobsOf', { name: node.host_name })} blobs={node.blobs} />
      </AccordionDetails>
    </Accordion>
  );
}

function summaryOf(blobs: readonly JobBlob[]): { held: number; wanted: number; verified: number; failed: number } {
  return {
    held: blobs.reduce((sum, blob) => sum + blob.finished_bytes, 0),
    wanted: blobs.reduce((sum, blob) => sum + Math.max(0, blob.content_length), 0),
    verified: blobs.filter((blob) => blob.verified).length,
    failed: blobs.filter((blob) => blob.state === 'FAILURE').length,
  };
}
