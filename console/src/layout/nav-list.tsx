import Box from '@mui/material/Box';
import List from '@mui/material/List';
import ListItem from '@mui/material/ListItem';
import ListItemButton from '@mui/material/ListItemButton';
import ListItemIcon from '@mui/material/ListItemIcon';
import ListItemText from '@mui/material/ListItemText';
import Typography from '@mui/material/Typography';
import type { ReactNode } from 'react';
import { NavLink, useLocation } from 'react-router';
import { useText } from '../i18n/language.tsx';
import { allows } from '../session/session-query.ts';
import { useSession } from '../session/use-session.ts';
import { placeGroups, type Place } from './navigation.ts';

export function NavList({ onChosen }: { readonly onChosen: () => void }): ReactNode {
  const t = useText();
  const session = useSession();
  const groups = placeGroups
    .map(({ label, places }) => ({
      label,
      places: places.filter(({ object }) => object === undefined || allows(session, object, 'read')),
    }))
    .filter(({ places }) => places.length > 0);
  return (
    <Box component="nav" aria-label={t('nav.label')} sx={{ px: 1.5, pb: 3 }}>
      {groups.map(({ label, places }) => (
        <Box key={label ?? ''} sx={{ mt: label === undefined ? 0 : 1.5 }}>
          {label !== undefined && (
            <Typography variant="overline" color="textSecondary" component="h2" sx={{ px: 1.5, fontSize: '0.7rem' }}>
              {t(label)}
            </Typography>
          )}
          <List dense disablePadding>
            {places.map((place) => (
              <NavItem key={place.to} place={place} onChosen={onChosen} />
            ))}
          </List>
        </Box>
      ))}
    </Box>
  );
}

function NavItem({
  place: { to, label, icon: Icon },
  onChosen,
}: {
  readonly place: Place;
  readonly onChosen: () => void;
}): ReactNode {
  const t = useText();
  const { pathname } = useLocation();
  const here = to === '/' ? pathname === '/' : pathname === to || pathname.startsWith(`${to}/`);
  return (
    <ListItem disablePadding>
      <ListItemButton
        component={NavLink}
        to={to}
        end={to === '/'}
        selected={here}
        onClick={onChosen}
        sx={{ borderRadius: 2, mb: 0.25 }}
      >
        <ListItemIcon sx={{ minWidth: 34, color: here ? 'primary.main' : 'text.secondary' }}>
          <Icon fontSize="small" />
        </ListItemIcon>
        <ListItemText
          primary={t(label)}
          slotProps={{ primary: { sx: { fontWeight: here ? 650 : 500, fontSize: '0.9rem' } } }}
        />
      </ListItemButton>
    </ListItem>
  );
}
