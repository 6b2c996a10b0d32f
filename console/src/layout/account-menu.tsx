import AccountCircleIcon from '@mui/icons-material/AccountCircleOutlined';
import Divider from '@mui/material/Divider';
import IconButton from '@mui/material/IconButton';
import ListItemText from '@mui/material/ListItemText';
import Menu from '@mui/material/Menu';
import MenuItem from '@mui/material/MenuItem';
import Tooltip from '@mui/material/Tooltip';
import { useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import { useText } from '../i18n/language.tsx';
import { useSignOut } from '../session/use-sign-out.ts';
import { useSession } from '../session/use-session.ts';

export function AccountMenu(): ReactNode {
  const t = useText();
  const { user, roles } = useSession();
  const signOut = useSignOut();
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  const close = (): void => setAnchor(null);
  return (
    <>
      <Tooltip title={t('account.menu')}>
        <IconButton
          edge="end"
          aria-label={t('account.menu')}
          aria-haspopup="menu"
          aria-expanded={anchor !== null}
          onClick={(event) => setAnchor(event.currentTarget)}
        >
          <AccountCircleIcon />
        </IconButton>
      </Tooltip>
      <Menu
        anchorEl={anchor}
        open={anchor !== null}
        onClose={close}
        anchorOrigin={{ vertical: 'bottom', horizontal: 'right' }}
        transformOrigin={{ vertical: 'top', horizontal: 'right' }}
      >
        <MenuItem component={Link} to="/profile" onClick={close}>
          <ListItemText primary={user.name} secondary={roles.join(', ')} />
        </MenuItem>
        <Divider component="li" />
        <MenuItem
          onClick={() => {
            close();
            signOut();
          }}
        >
          {t('account.signOut')}
        </MenuItem>
      </Menu>
    </>
  );
}
