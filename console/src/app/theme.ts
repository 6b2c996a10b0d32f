/** Colours, shapes and the few component habits that the whole console shares, in light and dark. */
import { createTheme } from '@mui/material/styles';

declare module '@mui/material/styles' {
  interface Palette {
    /** Where bytes come from, everywhere they are drawn. */
    source: { origin: string; seed: string; peer: string };
  }
  interface PaletteOptions {
    source: { origin: string; seed: string; peer: string };
  }
}

const fontFamily =
  'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';

export const monospace = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace';

/** Also for what is drawn without CSS. */
export const palettes = {
  light: {
    primary: { main: '#0b6e66' },
    secondary: { main: '#4b3fc4' },
    success: { main: '#1a7a3c' },
    warning: { main: '#a15c00' },
    error: { main: '#c02a2a' },
    info: { main: '#1f63b5' },
    background: { default: '#f4f7f8', paper: '#ffffff' },
    text: { primary: '#12212b', secondary: '#4c5f6b' },
    divider: '#dde5e8',
    source: { origin: '#c26a00', seed: '#5b4fd6', peer: '#0d8a7f' },
  },
  dark: {
    primary: { main: '#3fd2c2' },
    secondary: { main: '#a79ff7' },
    success: { main: '#5ccf8a' },
    warning: { main: '#f0b04c' },
    error: { main: '#ff8a80' },
    info: { main: '#7cb7ff' },
    background: { default: '#0b1419', paper: '#121e25' },
    text: { primary: '#e6eff2', secondary: '#9db0ba' },
    divider: '#22323b',
    source: { origin: '#f2a53a', seed: '#a79ff7', peer: '#3fd2c2' },
  },
};

export const theme = createTheme({
  cssVariables: { colorSchemeSelector: 'data-scheme' },
  colorSchemes: { light: { palette: palettes.light }, dark: { palette: palettes.dark } },
  shape: { borderRadius: 10 },
  typography: {
    fontFamily,
    h1: { fontSize: '1.5rem', fontWeight: 650, letterSpacing: '-0.01em' },
    h2: { fontSize: '1.05rem', fontWeight: 650 },
    h3: { fontSize: '0.95rem', fontWeight: 650 },
    button: { textTransform: 'none', fontWeight: 600 },
    overline: { letterSpacing: '0.06em', fontWeight: 600, lineHeight: 1.6 },
  },
  components: {
    MuiPaper: { styleOverrides: { root: { backgroundImage: 'none' } } },
    MuiCard: {
      defaultProps: { variant: 'outlined' },
      styleOverrides: { root: ({ theme: { vars } }) => ({ borderColor: vars?.palette.divider }) },
    },
    MuiButton: { defaultProps: { disableElevation: true } },
    MuiTextField: { defaultProps: { size: 'small', fullWidth: true } },
    MuiTableCell: {
      styleOverrides: {
        root: ({ theme: { vars } }) => ({ borderColor: vars?.palette.divider }),
        head: { fontWeight: 600, whiteSpace: 'nowrap' },
      },
    },
    MuiAlert: { defaultProps: { variant: 'outlined' } },
    MuiTooltip: { defaultProps: { arrow: true, enterDelay: 300 } },
    MuiLink: { defaultProps: { underline: 'hover' } },
  },
});
