/** What a role may read and what it may change, object by object. */
import Box from '@mui/material/Box';
import Checkbox from '@mui/material/Checkbox';
import FormHelperText from '@mui/material/FormHelperText';
import Table from '@mui/material/Table';
import TableBody from '@mui/material/TableBody';
import TableCell from '@mui/material/TableCell';
import TableContainer from '@mui/material/TableContainer';
import TableHead from '@mui/material/TableHead';
import TableRow from '@mui/material/TableRow';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { monospace } from '../app/theme.ts';
import { useText } from '../i18n/language.tsx';
import type { Permission } from './role-queries.ts';

interface PermissionsTableProps {
  readonly known: readonly Permission[];
  readonly granted: readonly Permission[];
  readonly problem?: string | undefined;
  readonly disabled?: boolean;
  readonly onChange: (permission: Permission, granted: boolean) => void;
}

export function PermissionsTable({
  known,
  granted,
  problem,
  disabled = false,
  onChange,
}: PermissionsTableProps): ReactNode {
  const t = useText();
  const objects = [...new Set(known.map(({ object }) => object))].sort((one, other) =>
    t(`object.${one}`).localeCompare(t(`object.${other}`)),
  );
  const has = (permission: Permission): boolean => granted.some((one) => same(one, permission));
  return (
    <Box sx={{ maxWidth: 640 }}>
      <TableContainer tabIndex={0} role="group" aria-label={t('roles.permissions')}>
        <Table size="small" aria-label={t('roles.permissions')}>
          <TableHead>
            <TableRow>
              <TableCell>{t('roles.object')}</TableCell>
              <TableCell align="center">{t('roles.read')}</TableCell>
              <TableCell align="center">{t('roles.change')}</TableCell>
            </TableRow>
          </TableHead>
          <TableBody>
            {objects.map((object) => {
              const all = has({ object, action: '*' });
              return (
                <TableRow key={object} hover>
                  <TableCell component="th" scope="row">
                    {t(`object.${object}`)}
                    <Typography component="div" variant="caption" color="textSecondary" sx={{ fontFamily: monospace }}>
                      {object}
                    </Typography>
                  </TableCell>
                  <TableCell align="center" padding="checkbox">
                    <Checkbox
                      size="small"
                      disabled={disabled || all}
                      checked={all || has({ object, action: 'read' })}
                      onChange={(_event, on) => onChange({ object, action: 'read' }, on)}
                      slotProps={{ input: { 'aria-label': `${object}: ${t('roles.read')}` } }}
                    />
                  </TableCell>
                  <TableCell align="center" padding="checkbox">
                    <Checkbox
                      size="small"
                      disabled={disabled}
                      checked={all}
                      onChange={(_event, on) => onChange({ object, action: '*' }, on)}
                      slotProps={{ input: { 'aria-label': `${object}: ${t('roles.change')}` } }}
                    />
                  </TableCell>
                </TableRow>
              );
            })}
          </TableBody>
        </Table>
      </TableContainer>
      {problem !== undefined && <FormHelperText error>{problem}</FormHelperText>}
    </Box>
  );
}

export function withPermission(
  permissions: readonly Permission[],
  changed: Permission,
  granted: boolean,
): Permission[] {
  const others = permissions.filter((one) => !same(one, changed));
  return granted ? [...others, changed] : others;
}

function same(one: Permission, other: Permission): boolean {
  return one.object === other.object && one.action === other.action;
}
