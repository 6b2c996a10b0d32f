/** How far a job is, on every node and for every blob, with each node's own word that it holds the bytes. */
import Box from '@mui/material/Box';
import Stack from '@mui/material/Stack';
import TablePagination from '@mui/material/TablePagination';
import Typography from '@mui/material/Typography';
import { useState, type ReactNode } from 'react';
import { Section } from '../components/section.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import type { Translate } from '../i18n/text.ts';
import type { JobNode, JobProgress } from './job-queries.ts';
import { NodeProgress } from './node-progress.tsx';
import { byUrgency, sharesOf } from './progress-figures.ts';

const nodesPerPage = 25;
/** So few nodes show their blobs from the beginning. */
const openNodes = 3;

export function JobProgressSection({ progress }: { readonly progress: JobProgress }): ReactNode {
  const t = useText();
  const { percent } = useFormats();
  const { done, failed } = sharesOf(progress);
  return (
    <Section title={t('jobs.progress')} about={countsText(progress, t)}>
      <Stack spacing={2}>
        <Stack direction="row" spacing={2} sx={{ alignItems: 'center' }}>
          <Box
            role="progressbar"
            aria-label={t('jobs.progress')}
            aria-valuenow={Math.round(done * 100)}
            aria-valuemin={0}
            aria-valuemax={100}
            sx={{
              flex: 1,
              display: 'flex',
              height: 8,
              borderRadius: 4,
              overflow: 'hidden',
              bgcolor: 'action.selected',
            }}
          >
            <Box sx={{ width: `${done * 100}%`, bgcolor: 'success.main', transition: 'width 300ms' }} />
            <Box sx={{ width: `${failed * 100}%`, bgcolor: 'error.main' }} />
          </Box>
          <Typography variant="body2">{percent(done)}</Typography>
        </Stack>
        <Nodes nodes={progress.nodes} />
      </Stack>
    </Section>
  );
}

/** Those that failed first, then those still at it: what one looks for stands on the first page. */
function Nodes({ nodes }: { readonly nodes: readonly JobNode[] }): ReactNode {
  const t = useText();
  const [page, setPage] = useState(0);
  const last = Math.max(0, Math.ceil(nodes.length / nodesPerPage) - 1);
  const shown = Math.min(page, last);
  const rows = nodes.toSorted(byUrgency).slice(shown * nodesPerPage, (shown + 1) * nodesPerPage);
  return (
    <div>
      {rows.map((node) => (
        <NodeProgress
          key={`${node.scheduler_cluster_id} ${node.host_name} ${node.ip}`}
          node={node}
          open={nodes.length <= openNodes}
        />
      ))}
      {nodes.length > nodesPerPage && (
        <TablePagination
          component="div"
          count={nodes.length}
          page={shown}
          rowsPerPage={nodesPerPage}
          rowsPerPageOptions={[nodesPerPage]}
          labelDisplayedRows={({ from, to, count }) => t('table.range', { from, to, count })}
          getItemAriaLabel={(type) => t(`table.${type}`)}
          onPageChange={(_event, next) => setPage(next)}
        />
      )}
    </div>
  );
}

/** What there is none of is not spoken of, except what one hopes for. */
function countsText({ succeeded, failed, running, pending }: JobProgress, t: Translate): string {
  return [
    t('jobs.countDone', { count: succeeded }),
    ...(failed > 0 ? [t('jobs.countFailed', { count: failed })] : []),
    ...(running > 0 ? [t('jobs.countRunning', { count: running })] : []),
    ...(pending > 0 ? [t('jobs.countWaiting', { count: pending })] : []),
  ].join(' · ');
}
