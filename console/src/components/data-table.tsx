/** A page of rows from the server: scrolls by itself when it is too wide, and says so when there is nothing. */
import Box from '@mui/material/Box';
import Card from '@mui/material/Card';
import LinearProgress from '@mui/material/LinearProgress';
import Table from '@mui/material/Table';
import TableBody from '@mui/material/TableBody';
import TableCell from '@mui/material/TableCell';
import TableContainer from '@mui/material/TableContainer';
import TableHead from '@mui/material/TableHead';
import TablePagination from '@mui/material/TablePagination';
import TableRow from '@mui/material/TableRow';
import visuallyHidden from '@mui/utils/visuallyHidden';
import type { ReactNode } from 'react';
import type { PageOf } from '../api/client.ts';
import { useText } from '../i18n/language.tsx';
import { ErrorNotice } from './error-notice.tsx';
import type { ListState } from './use-list-state.ts';

export interface Column<Row> {
  readonly key: string;
  /** Empty over buttons: heard, not seen. */
  readonly header: string;
  readonly cell: (row: Row) => ReactNode;
  readonly align?: 'right' | undefined;
  /** Screens narrower than this do without the column. */
  readonly from?: 'sm' | 'md' | 'lg' | undefined;
}

export const perPageChoices = [10, 25, 50, 100];

interface RowsQuery<Row> {
  readonly data: PageOf<Row> | undefined;
  readonly error: unknown;
  readonly isFetching: boolean;
  readonly refetch: () => unknown;
}

interface DataTableProps<Row> {
  /** What the rows are, for those who hear the table. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string | number;
  readonly query: RowsQuery<Row>;
  readonly list: Pick<ListState, 'page' | 'perPage' | 'setPage' | 'setPerPage' | 'filtered'>;
  /** Shown when there is not a single row and nothing is filtered: how to get the first. */
  readonly empty: ReactNode;
}

export function DataTable<Row>({ label, columns, rowKey, query, list, empty }: DataTableProps<Row>): ReactNode {
  const t = useText();
  const { data, error, isFetching, refetch } = query;
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (data?.total === 0 && !list.filtered) return empty;
  return (
    <Card>
      <Box sx={{ height: 3 }}>
        {isFetching && <LinearProgress sx={{ height: 3 }} aria-label={t('common.loading')} />}
      </Box>
      <TableContainer tabIndex={0} role="group" aria-label={label}>
        <Table size="small" aria-label={label} aria-busy={isFetching}>
          <TableHead>
            <TableRow>
              {columns.map(({ key, header, align, from }) => (
                <TableCell key={key} align={align} sx={visibleFrom(from)}>
                  {header === '' ? <span style={visuallyHidden}>{t('table.actions')}</span> : header}
                </TableCell>
              ))}
            </TableRow>
          </TableHead>
          <TableBody>
            {data?.rows.map((row) => (
              <TableRow key={rowKey(row)} hover>
                {columns.map(({ key, cell, align, from }) => (
                  <TableCell key={key} align={align} sx={{ ...visibleFrom(from), height: 44 }}>
                    {cell(row)}
                  </TableCell>
                ))}
              </TableRow>
            ))}
            {data?.rows.length === 0 && (
              <TableRow>
                <TableCell colSpan={columns.length} sx={{ color: 'text.secondary', py: 4, textAlign: 'center' }}>
                  {t('table.nothingMatches')}
                </TableCell>
              </TableRow>
            )}
          </TableBody>
        </Table>
      </TableContainer>
      {data && data.total > (perPageChoices[0] ?? 0) && (
        <TablePagination
          component="div"
          count={data.total}
          page={Math.min(list.page - 1, Math.max(0, Math.ceil(data.total / list.perPage) - 1))}
          rowsPerPage={list.perPage}
          rowsPerPageOptions={perPageChoices}
          labelRowsPerPage={t('table.rowsPerPage')}
          labelDisplayedRows={({ from, to, count }) => t('table.range', { from, to, count })}
          getItemAriaLabel={(type) => t(`table.${type}`)}
          onPageChange={(_event, page) => list.setPage(page + 1)}
          onRowsPerPageChange={(event) => list.setPerPage(Number(event.target.value))}
        />
      )}
    </Card>
  );
}

export function visibleFrom(from: Column<unknown>['from']): { display?: Record<string, string> } {
  return from === undefined ? {} : { display: { xs: 'none', [from]: 'table-cell' } };
}
