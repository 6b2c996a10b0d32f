/** What stays while pages come and go: the bar on top, the places on the left, one stream of events for all. */
import MenuIcon from '@mui/icons-material/Menu';
import AppBar from '@mui/material/AppBar';
import Box from '@mui/material/Box';
import Drawer from '@mui/material/Drawer';
import IconButton from '@mui/material/IconButton';
import Link from '@mui/material/Link';
import Toolbar from '@mui/material/Toolbar';
import { Suspense, useState, type ReactNode } from 'react';
import { Outlet } from 'react-router';
import { Loading } from '../components/loading.tsx';
import { LiveEvents } from '../events/live-events.tsx';
import { useText } from '../i18n/language.tsx';
import { SessionGate } from '../session/session-gate.tsx';
import { AccountMenu } from './account-menu.tsx';
import { Brand } from './brand.tsx';
import { CommandBar } from './command-bar.tsx';
import { LanguageButton } from './language-button.tsx';
import { LiveMark } from './live-mark.tsx';
import { NavList } from './nav-list.tsx';
import { RouteProgress } from './route-progress.tsx';
import { SchemeButton } from './scheme-button.tsx';

const drawerWidth = 232;
const mainId = 'main';

export function Shell(): ReactNode {
  return (
    <SessionGate>
      <LiveEvents>
        <Frame />
      </LiveEvents>
    </SessionGate>
  );
}

function Frame(): ReactNode {
  const t = useText();
  const [open, setOpen] = useState(false);
  const nav = <NavList onChosen={() => setOpen(false)} />;
  return (
    <Box sx={{ display: 'flex', minHeight: '100vh' }}>
      <SkipLink />
      <AppBar
        position="fixed"
        color="inherit"
        elevation={0}
        sx={{
          borderBottom: 1,
          borderColor: 'divider',
          zIndex: 'drawer',
          bgcolor: 'background.paper',
          displayPrint: 'none',
        }}
      >
        <RouteProgress />
        <Toolbar variant="dense" sx={{ gap: 0.5, minHeight: 56 }}>
          <IconButton
            aria-label={t('nav.open')}
            edge="start"
            onClick={() => setOpen(true)}
            sx={{ display: { md: 'none' } }}
          >
            <MenuIcon />
          </IconButton>
          <Brand />
          <Box sx={{ flex: 1 }} />
          <CommandBar />
          <LiveMark />
          <LanguageButton />
          <SchemeButton />
          <AccountMenu />
        </Toolbar>
      </AppBar>
      <Drawer
        open={open}
        onClose={() => setOpen(false)}
        sx={{ display: { md: 'none' }, '& .MuiDrawer-paper': { width: drawerWidth, pt: 2 } }}
      >
        {nav}
      </Drawer>
      <Drawer
        variant="permanent"
        sx={{
          display: { xs: 'none', md: 'block' },
          displayPrint: 'none',
          width: drawerWidth,
          flexShrink: 0,
          '& .MuiDrawer-paper': {
            width: drawerWidth,
            pt: '68px',
            border: 0,
            borderRight: 1,
            borderColor: 'divider',
            zIndex: 0,
          },
        }}
      >
        {nav}
      </Drawer>
      <Box
        component="main"
        id={mainId}
        tabIndex={-1}
        sx={{ flex: 1, minWidth: 0, outline: 0, pt: '56px', '@media print': { pt: 0 } }}
      >
        <Box sx={{ p: { xs: 2, sm: 3 }, maxWidth: 1440, mx: 'auto' }}>
          <Suspense fallback={<Loading />}>
            <Outlet />
          </Suspense>
        </Box>
      </Box>
    </Box>
  );
}

function SkipLink(): ReactNode {
  const t = useText();
  return (
    <Link
      href={`#${mainId}`}
      onClick={(event) => {
        // The page's base would turn the bare fragment into another address.
        event.preventDefault();
        document.getElementById(mainId)?.focus();
      }}
      sx={{
        position: 'fixed',
        left: 8,
        top: -60,
        p: 1,
        zIndex: 'tooltip',
        bgcolor: 'background.paper',
        '&:focus': { top: 8 },
      }}
    >
      {t('nav.skip')}
    </Link>
  );
}
