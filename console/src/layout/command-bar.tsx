/** Ctrl-K or ⌘K: go anywhere by name, to a place or to a node. */
import SearchIcon from '@mui/icons-material/SearchOutlined';
import Autocomplete from '@mui/material/Autocomplete';
import Dialog from '@mui/material/Dialog';
import DialogTitle from '@mui/material/DialogTitle';
import IconButton from '@mui/material/IconButton';
import TextField from '@mui/material/TextField';
import Tooltip from '@mui/material/Tooltip';
import Typography from '@mui/material/Typography';
import visuallyHidden from '@mui/utils/visuallyHidden';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { useText } from '../i18n/language.tsx';
import { nodesQuery, pathOf } from '../nodes/node-queries.ts';
import { allows } from '../session/session-query.ts';
import { useMay, useSession } from '../session/use-session.ts';
import { placeGroups } from './navigation.ts';

interface Target {
  readonly label: string;
  readonly group: string;
  readonly to: string;
}

const shownNodes = 8;

export function CommandBar(): ReactNode {
  const t = useText();
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey) || event.altKey || event.shiftKey)
        return;
      event.preventDefault();
      setOpen((before) => !before);
    };
    globalThis.addEventListener('keydown', onKey);
    return () => globalThis.removeEventListener('keydown', onKey);
  }, []);
  return (
    <>
      <Tooltip title={t('command.hint')}>
        <IconButton aria-label={t('command.open')} onClick={() => setOpen(true)}>
          <SearchIcon fontSize="small" />
        </IconButton>
      </Tooltip>
      {open && <CommandDialog onClose={() => setOpen(false)} />}
    </>
  );
}

function CommandDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useText();
  const navigate = useNavigate();
  const [typed, setTyped] = useState('');
  const targets = useTargets(typed.trim());
  return (
    <Dialog
      open
      onClose={onClose}
      fullWidth
      maxWidth="sm"
      sx={{ '& .MuiDialog-container': { alignItems: 'flex-start', pt: 8 } }}
      slotProps={{ paper: { sx: { overflow: 'visible' } } }}
    >
      <DialogTitle sx={visuallyHidden}>{t('command.open')}</DialogTitle>
      <Autocomplete
        open
        autoHighlight
        options={targets}
        getOptionLabel={({ label }) => label}
        getOptionKey={({ to }) => to}
        value={null}
        inputValue={typed}
        onInputChange={(_event, text) => setTyped(text)}
        noOptionsText={t('table.nothingMatches')}
        onChange={(_event, target) => {
          if (!target) return;
          onClose();
          void navigate(target.to);
        }}
        forcePopupIcon={false}
        slotProps={{ popper: { disablePortal: true } }}
        renderOption={({ key, ...props }, { label, group }) => (
          <li key={key} {...props}>
            <Typography sx={{ flexGrow: 1 }}>{label}</Typography>
            <Typography variant="caption" color="textSecondary">
              {group}
            </Typography>
          </li>
        )}
        renderInput={(params) => <TextField {...params} autoFocus label={t('command.label')} />}
        sx={{ m: 2 }}
      />
    </Dialog>
  );
}

/** Places that one may see, and nodes whose name has the text in it. */
function useTargets(text: string): Target[] {
  const t = useText();
  const session = useSession();
  const seesNodes = useMay('nodes', 'read');
  const { data } = useQuery({
    ...nodesQuery({ page: 1, per_page: shownNodes, search: text || undefined }),
    enabled: seesNodes && text !== '',
  });
  const places = placeGroups.flatMap(({ label, places: all }) =>
    all
      .filter(({ object }) => object === undefined || allows(session, object, 'read'))
      .map((place) => ({ label: t(place.label), group: t(label ?? 'nav.overview'), to: place.to })),
  );
  const nodes = text === '' ? [] : (data?.rows ?? []);
  return [
    ...places,
    ...nodes.map((node) => ({ label: node.host_name || node.ip, group: t('nav.nodes'), to: pathOf(node) })),
  ];
}
