/** Form fields that belong to useForm. */
import Autocomplete from '@mui/material/Autocomplete';
import FormControlLabel from '@mui/material/FormControlLabel';
import FormHelperText from '@mui/material/FormHelperText';
import MenuItem from '@mui/material/MenuItem';
import Switch from '@mui/material/Switch';
import TextField from '@mui/material/TextField';
import type { ReactNode } from 'react';
import type { FieldProps } from './use-form.ts';

interface Common {
  readonly label: string;
  readonly help?: string | undefined;
  readonly required?: boolean;
  readonly disabled?: boolean;
}

interface TextInputProps extends Common {
  readonly field: FieldProps<string>;
  readonly type?: 'text' | 'password' | 'email' | 'url' | 'date';
  readonly autoComplete?: string;
  readonly autoFocus?: boolean;
  readonly rows?: number;
  readonly placeholder?: string;
}

export function TextInput({ field, label, help, type = 'text', rows, ...props }: TextInputProps): ReactNode {
  return (
    <TextField
      {...props}
      {...(rows === undefined ? {} : { multiline: true, minRows: rows })}
      type={type}
      label={label}
      name={field.name}
      value={field.value}
      onChange={(event) => field.onChange(event.target.value)}
      error={field.problem !== undefined}
      helperText={field.problem ?? help}
    />
  );
}

interface NumberInputProps extends Common {
  readonly field: FieldProps<string>;
  readonly min: number;
  readonly max: number;
}

export function NumberInput({ field, label, help, min, max, ...props }: NumberInputProps): ReactNode {
  return (
    <TextField
      {...props}
      type="number"
      label={label}
      name={field.name}
      value={field.value}
      onChange={(event) => field.onChange(event.target.value)}
      error={field.problem !== undefined}
      helperText={field.problem ?? help}
      slotProps={{ htmlInput: { min, max, step: 1 } }}
    />
  );
}

interface ChoiceInputProps extends Common {
  readonly field: FieldProps<string>;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
}

export function ChoiceInput({ field, label, help, choices, ...props }: ChoiceInputProps): ReactNode {
  return (
    <TextField
      {...props}
      select
      label={label}
      name={field.name}
      value={field.value}
      onChange={(event) => field.onChange(event.target.value)}
      error={field.problem !== undefined}
      helperText={field.problem ?? help}
    >
      {choices.map(({ value, label: text }) => (
        <MenuItem key={value} value={value}>
          {text}
        </MenuItem>
      ))}
    </TextField>
  );
}

interface ListInputProps extends Common {
  readonly field: FieldProps<readonly string[]>;
  readonly suggestions?: readonly string[];
}

/** Several texts; each is finished by Enter, a comma or by leaving the field. */
export function ListInput({ field, label, help, suggestions = [], ...props }: ListInputProps): ReactNode {
  const entries = (texts: readonly string[]): string[] => [
    ...new Set(texts.flatMap((text) => text.split(/[,\s]+/)).filter((text) => text !== '')),
  ];
  return (
    <Autocomplete
      multiple
      freeSolo
      autoSelect
      options={suggestions.filter((one) => !field.value.includes(one))}
      value={[...field.value]}
      onChange={(_event, texts) => field.onChange(entries(texts))}
      renderInput={(params) => (
        <TextField
          {...params}
          {...props}
          label={label}
          name={field.name}
          error={field.problem !== undefined}
          helperText={field.problem ?? help}
        />
      )}
    />
  );
}

interface SwitchInputProps extends Common {
  readonly field: FieldProps<boolean>;
}

export function SwitchInput({ field, label, help, disabled = false }: SwitchInputProps): ReactNode {
  return (
    <div>
      <FormControlLabel
        disabled={disabled}
        label={label}
        control={<Switch name={field.name} checked={field.value} onChange={(_event, on) => field.onChange(on)} />}
      />
      {(field.problem ?? help) !== undefined && (
        <FormHelperText error={field.problem !== undefined}>{field.problem ?? help}</FormHelperText>
      )}
    </div>
  );
}
