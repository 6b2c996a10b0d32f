/** Fields that narrow a list down: text waits until typing pauses, choices act at once. */
import MenuItem from '@mui/material/MenuItem';
import TextField from '@mui/material/TextField';
import { useEffect, useState, type ReactNode } from 'react';
import { useText } from '../i18n/language.tsx';

const typingPauseMs = 300;

interface FilterProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly onChange: (value: string) => void;
}

export function TextFilter({ label, value = '', onChange }: FilterProps): ReactNode {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => onChange(typed.trim()), typingPauseMs);
    return () => clearTimeout(timer);
  }, [typed, value, onChange]);
  return (
    <TextField
      type="search"
      label={label}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      sx={width}
    />
  );
}

interface ChoiceFilterProps extends FilterProps {
  readonly choices: readonly { readonly value: string; readonly label: string }[];
}

export function ChoiceFilter({ label, value = '', onChange, choices }: ChoiceFilterProps): ReactNode {
  const t = useText();
  return (
    <TextField select label={label} value={value} onChange={(event) => onChange(event.target.value)} sx={width}>
      <MenuItem value="">{t('table.any')}</MenuItem>
      {choices.map((choice) => (
        <MenuItem key={choice.value} value={choice.value}>
          {choice.label}
        </MenuItem>
      ))}
    </TextField>
  );
}

const width = { width: { xs: 'calc(50% - 6px)', sm: 190 } };
