/** Values of a form, what is wrong with them, and sending them off. */
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '../api/errors.ts';

export type Problems<Values> = { readonly [Name in keyof Values]?: string | undefined };

export interface FieldProps<Value> {
  readonly name: string;
  readonly value: Value;
  readonly onChange: (value: Value) => void;
  readonly problem: string | undefined;
}

export interface Form<Values extends object> {
  readonly values: Values;
  readonly set: (changes: Partial<Values>) => void;
  readonly field: <Name extends keyof Values & string>(name: Name) => FieldProps<Values[Name]>;
  readonly submit: () => void;
  readonly pending: boolean;
  /** What the manager answered, unless it was about single fields only. */
  readonly error: unknown;
}

interface FormOptions<Values extends object> {
  readonly initial: Values;
  /** Problems are shown from the first attempt to send on. */
  readonly check?: (values: Values) => Problems<Values>;
  readonly send: (values: Values) => Promise<unknown>;
  readonly onDone?: () => void;
}

export function useForm<Values extends object>({ initial, check, send, onDone }: FormOptions<Values>): Form<Values> {
  const [values, setValues] = useState(initial);
  const [tried, setTried] = useState(false);
  const mutation = useMutation({ mutationFn: () => send(values), ...(onDone && { onSuccess: onDone }) });
  const own: Problems<Values> = tried ? (check?.(values) ?? {}) : {};
  const theirs = mutation.error instanceof ApiError ? mutation.error.fields : {};
  const set = (changes: Partial<Values>): void => {
    setValues((before) => ({ ...before, ...changes }));
    if (mutation.isError) mutation.reset();
  };
  return {
    values,
    set,
    field: (name) => ({
      name,
      value: values[name],
      onChange: (value) => set({ [name]: value } as unknown as Partial<Values>),
      problem: own[name] ?? problemOf(theirs, name),
    }),
    submit: () => {
      setTried(true);
      const problems = check?.(values) ?? {};
      if (Object.values(problems).every((problem) => problem === undefined) && !mutation.isPending) mutation.mutate();
    },
    pending: mutation.isPending,
    error: mutation.error ?? undefined,
  };
}

/** The manager names fields of fields, `scopes.cidrs.0`; whoever shows the outer one shows it too. */
function problemOf(fields: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.entries(fields).find(
    ([path]) => path === name || path.startsWith(`${name}.`) || path.endsWith(`.${name}`),
  )?.[1];
}
