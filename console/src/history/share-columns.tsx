/** What is told of applications, tags, zones, nodes and origins. */
import Box from '@mui/material/Box';
import type { ReactNode } from 'react';
import type { Column } from '../components/data-table.tsx';
import { TextLink } from '../components/text-link.tsx';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { ChangeText } from './change-text.tsx';
import { savedShare, type ShareKind, type TrafficShare } from './history-queries.ts';

interface ShareColumnsOptions {
  /** Where a name leads; it leads nowhere without. */
  readonly linkTo?: (name: string) => string;
}

export function useShareColumns(kind: ShareKind, { linkTo }: ShareColumnsOptions = {}): Column<TrafficShare>[] {
  const t = useText();
  const { bytes, number, percent } = useFormats();
  const nameOf = (name: string): string => (name === '*' ? t('history.others') : name || t('history.unnamed'));
  const got = ({ origin_bytes: origin, peer_bytes: peers }: Pick<TrafficShare, 'origin_bytes' | 'peer_bytes'>) =>
    origin + peers;
  const shown = (value: number): ReactNode => (value === 0 ? '–' : number(value));
  return [
    {
      key: 'name',
      header: t(`history.by.${kind}`),
      cell: ({ name }) => (
        // A name is broken between its words, not after every few letters.
        <Box sx={{ minWidth: 96 }}>{linkTo ? <TextLink to={linkTo(name)}>{nameOf(name)}</TextLink> : nameOf(name)}</Box>
      ),
    },
    {
      key: 'got',
      header: t(kind === 'origin' ? 'history.sent' : 'history.got'),
      align: 'right',
      cell: (row) => (
        <>
          {bytes(got(row))} <ChangeText now={got(row)} before={got(row.before)} />
        </>
      ),
    },
    ...(kind === 'origin'
      ? []
      : ([
          {
            key: 'saved',
            header: t('overview.saved'),
            align: 'right',
            cell: (row) => {
              const share = savedShare(row);
              return share === undefined ? '–' : percent(share);
            },
          },
          {
            key: 'origin',
            header: t('overview.fromOrigin'),
            align: 'right',
            from: 'sm',
            cell: ({ origin_bytes: origin }) => bytes(origin),
          },
          {
            key: 'downloads',
            header: t('history.downloads'),
            align: 'right',
            from: 'md',
            cell: ({ downloads }) => shown(downloads),
          },
        ] satisfies Column<TrafficShare>[])),
    ...(kind === 'node'
      ? ([
          {
            key: 'given',
            header: t('history.given'),
            align: 'right',
            from: 'sm',
            cell: ({ given_bytes: given }) => bytes(given),
          },
        ] satisfies Column<TrafficShare>[])
      : []),
    { key: 'failures', header: t('history.failures'), align: 'right', cell: ({ failures }) => shown(failures) },
  ];
}
