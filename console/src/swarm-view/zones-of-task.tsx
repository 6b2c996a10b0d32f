/** The swarm by data centre: how far each is, and how much crossed between them. */
import Table from '@mui/material/Table';
import TableBody from '@mui/material/TableBody';
import TableCell from '@mui/material/TableCell';
import TableContainer from '@mui/material/TableContainer';
import TableHead from '@mui/material/TableHead';
import TableRow from '@mui/material/TableRow';
import type { ReactNode } from 'react';
import { Section } from '../components/section.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { zonesOf } from './swarm-figures.ts';
import type { SwarmModel } from './swarm-model.ts';

export function ZonesOfTask({ model }: { readonly model: SwarmModel }): ReactNode {
  const t = useText();
  const { bytes, percent, number } = useFormats();
  const length = model.task?.piece_length ?? 0;
  const zones = zonesOf(model);
  if (zones.length < 2) return null;
  return (
    <Section title={t('swarm.zones')} about={t('swarm.zonesAbout')}>
      <TableContainer tabIndex={0} role="group" aria-label={t('swarm.zones')}>
        <Table size="small" aria-label={t('swarm.zones')}>
          <TableHead>
            <TableRow>
              <TableCell>{t('field.idc')}</TableCell>
              <TableCell align="right">{t('nav.peers')}</TableCell>
              <TableCell align="right">{t('tasks.spread')}</TableCell>
              <TableCell align="right">{t('swarm.fromOrigin')}</TableCell>
              <TableCell align="right">{t('swarm.fromOwn')}</TableCell>
              <TableCell align="right">{t('swarm.fromForeign')}</TableCell>
            </TableRow>
          </TableHead>
          <TableBody>
            {zones.map((zone) => (
              <TableRow key={zone.name}>
                <TableCell component="th" scope="row">
                  {zone.name || t('swarm.noZone')}
                </TableCell>
                <TableCell align="right">{number(zone.peers)}</TableCell>
                <TableCell align="right">{percent(zone.finished / zone.peers)}</TableCell>
                <TableCell align="right">{bytes(zone.originPieces * length)}</TableCell>
                <TableCell align="right">{bytes(zone.ownPieces * length)}</TableCell>
                <TableCell align="right">{bytes(zone.foreignPieces * length)}</TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </TableContainer>
    </Section>
  );
}
