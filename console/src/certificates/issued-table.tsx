import BlockIcon from '@mui/icons-material/Block';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { monospace } from '../app/theme.ts';
import { ConfirmButton } from '../components/confirm-button.tsx';
import { DataTable, type Column } from '../components/data-table.tsx';
import { EmptyState } from '../components/empty-state.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { serviceQuery } from '../session/session-query.ts';
import { useMay } from '../session/use-session.ts';
import { AuthorityOff } from './authority-off.tsx';
import { certificatesKey, certificatesQuery, stateOf, type Certificate } from './certificate-queries.ts';

export function IssuedTable(): ReactNode {
  const t = useText();
  const may = useMay('certificates');
  const { data: service } = useQuery(serviceQuery);
  const list = useListState([]);
  const query = useQuery(certificatesQuery({ page: list.page, per_page: list.perPage }));
  const columns: Column<Certificate>[] = [
    { key: 'subject', header: t('certificates.subject'), cell: ({ subject }) => subject },
    { key: 'state', header: t('field.state'), cell: (row) => <StateChip state={stateOf(row, Date.now())} /> },
    { key: 'kind', header: t('field.type'), cell: ({ kind }) => kind, from: 'sm' },
    { key: 'names', header: t('certificates.names'), cell: ({ names }) => names.join(', ') || '–', from: 'md' },
    { key: 'expires', header: t('tokens.expires'), cell: ({ expires_at }) => <TimeText at={expires_at} /> },
    {
      key: 'serial',
      header: t('certificates.serial'),
      cell: ({ serial }) => <span style={{ fontFamily: monospace, fontSize: '0.8rem' }}>{serial}</span>,
      from: 'lg',
    },
    {
      key: 'created',
      header: t('certificates.issued'),
      cell: ({ created_at }) => <TimeText at={created_at} />,
      from: 'md',
    },
  ];
  if (may)
    columns.push({
      key: 'actions',
      header: '',
      align: 'right',
      cell: (row) => row.revoked_at === null && <Revoke certificate={row} />,
    });
  return (
    <DataTable
      label={t('certificates.tab.issued')}
      columns={columns}
      rowKey={({ serial }) => serial}
      query={query}
      list={list}
      empty={
        service?.certificates === false ? (
          <AuthorityOff />
        ) : (
          <EmptyState title={t('certificates.none')} text={t('certificates.noneText')} />
        )
      }
    />
  );
}

function Revoke({ certificate: { serial, subject } }: { readonly certificate: Certificate }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  return (
    <ConfirmButton
      compact
      icon={<BlockIcon fontSize="small" />}
      label={t('tokens.revokeName', { name: subject })}
      confirmation={{
        title: t('tokens.revokeName', { name: subject }),
        reach: t('certificates.revokeReach'),
        action: t('tokens.revoke'),
        done: t('tokens.revoked', { name: subject }),
        run: async () => {
          await dataOf(api.POST('/api/v1/certificates/{serial}/revoke', { params: { path: { serial } } }));
          await client.invalidateQueries({ queryKey: certificatesKey });
        },
      }}
    />
  );
}
