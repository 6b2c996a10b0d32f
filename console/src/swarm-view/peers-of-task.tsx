/** Every peer of a task with what it holds: the same as the picture, as a list. */
import Box from '@mui/material/Box';
import Button from '@mui/material/Button';
import LinearProgress from '@mui/material/LinearProgress';
import { useState, type ReactNode } from 'react';
import { DataTable, type Column } from '../components/data-table.tsx';
import { TextFilter } from '../components/filter-fields.tsx';
import { Section } from '../components/section.tsx';
import { StateChip } from '../components/state-chip.tsx';
import type { PeerState } from '../events/event-types.ts';
import { useFormats } from '../i18n/format.ts';
import { useText } from '../i18n/language.tsx';
import { listed } from './swarm-figures.ts';
import type { SwarmModel } from './swarm-model.ts';

interface PeersOfTaskProps {
  readonly model: SwarmModel;
  readonly selected: string | undefined;
  readonly onSelect: (peerId: string | undefined) => void;
}

export function PeersOfTask({ model, selected, onSelect }: PeersOfTaskProps): ReactNode {
  const t = useText();
  const { percent } = useFormats();
  const [text, setText] = useState('');
  const [page, setPage] = useState(1);
  const [perPage, setPerPage] = useState(10);
  const pieces = model.task?.piece_count ?? 0;
  const peers = listed(model, text);
  const rows = peers.slice((page - 1) * perPage, page * perPage);
  const columns: Column<PeerState>[] = [
    {
      key: 'host',
      header: t('field.hostName'),
      cell: ({ id, host_name: name, ip }) => (
        <Button
          size="small"
          aria-pressed={id === selected}
          onClick={() => onSelect(id === selected ? undefined : id)}
          sx={{ textAlign: 'left' }}
        >
          {name || ip}
        </Button>
      ),
    },
    { key: 'ip', header: t('field.ip'), cell: ({ ip }) => ip, from: 'md' },
    { key: 'idc', header: t('field.idc'), cell: ({ idc }) => idc || '–', from: 'sm' },
    {
      key: 'type',
      header: t('field.type'),
      cell: ({ type }) => t(type === 'seed' ? 'swarm.seed' : 'swarm.normal'),
      from: 'sm',
    },
    { key: 'state', header: t('field.state'), cell: ({ state }) => <StateChip state={state} /> },
    {
      key: 'held',
      header: t('jobs.held'),
      cell: ({ finished_pieces: finished, host_name: name }) => (
        <Box sx={{ minWidth: 90 }}>
          {percent(pieces === 0 ? 0 : finished / pieces)}
          <LinearProgress
            variant="determinate"
            value={pieces === 0 ? 0 : (finished / pieces) * 100}
            aria-label={name}
            sx={{ borderRadius: 2 }}
          />
        </Box>
      ),
    },
    {
      key: 'origin',
      header: t('swarm.piecesFromOrigin'),
      cell: ({ origin_pieces }) => origin_pieces,
      align: 'right',
      from: 'md',
    },
  ];
  return (
    <Section
      title={t('task.peers')}
      actions={
        <TextFilter
          label={t('swarm.search')}
          value={text}
          onChange={(value) => {
            setText(value);
            setPage(1);
          }}
        />
      }
    >
      <DataTable
        label={t('task.peers')}
        columns={columns}
        rowKey={({ id }) => id}
        query={{ data: { rows, total: peers.length }, error: undefined, isFetching: false, refetch: () => undefined }}
        list={{ page, perPage, setPage, setPerPage, filtered: true }}
        empty={null}
      />
    </Section>
  );
}
