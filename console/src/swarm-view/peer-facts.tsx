import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import type { PeerState } from '../events/event-types.ts';
import { useText } from '../i18n/language.tsx';

/** One peer in four lines. */
export function PeerFacts({ peer, pieces }: { readonly peer: PeerState; readonly pieces: number }): ReactNode {
  const t = useText();
  return (
    <>
      <Typography component="div" variant="subtitle2">
        {peer.host_name || peer.ip}
      </Typography>
      <div>{[peer.ip, peer.idc, peer.location].filter((part) => part !== '').join(' · ')}</div>
      <div>{t('swarm.holds', { finished: peer.finished_pieces, pieces })}</div>
      {peer.origin_pieces > 0 && <div>{t('swarm.fetched', { pieces: peer.origin_pieces })}</div>}
    </>
  );
}
