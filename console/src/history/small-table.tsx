/** A table of what is there at once, without pages. */
import Table from '@mui/material/Table';
import TableBody from '@mui/material/TableBody';
import TableCell from '@mui/material/TableCell';
import TableContainer from '@mui/material/TableContainer';
import TableHead from '@mui/material/TableHead';
import TableRow from '@mui/material/TableRow';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { visibleFrom, type Column } from '../components/data-table.tsx';

interface SmallTableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string | number;
  /** Said when there is no row. */
  readonly none: string;
}

export function SmallTable<Row>({ label, columns, rows, rowKey, none }: SmallTableProps<Row>): ReactNode {
  if (rows.length === 0) return <Typography color="textSecondary">{none}</Typography>;
  return (
    <TableContainer tabIndex={0} role="group" aria-label={label}>
      <Table size="small" aria-label={label}>
        <TableHead>
          <TableRow>
            {columns.map(({ key, header, align, from }) => (
              <TableCell key={key} align={align} sx={visibleFrom(from)}>
                {header}
              </TableCell>
            ))}
          </TableRow>
        </TableHead>
        <TableBody>
          {rows.map((row) => (
            <TableRow key={rowKey(row)} hover>
              {columns.map(({ key, cell, align, from }) => (
                <TableCell key={key} align={align} sx={visibleFrom(from)}>
                  {cell(row)}
                </TableCell>
              ))}
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}
