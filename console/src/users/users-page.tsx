import AddIcon from '@mui/icons-material/Add';
import Button from '@mui/material/Button';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { DataTable, type Column } from '../components/data-table.tsx';
import { FilterBar } from '../components/filter-bar.tsx';
import { ChoiceFilter, TextFilter } from '../components/filter-fields.tsx';
import { FormDialog } from '../components/form-dialog.tsx';
import { TextInput } from '../components/fields.tsx';
import { Page } from '../components/page.tsx';
import { StateChip } from '../components/state-chip.tsx';
import { TextLink } from '../components/text-link.tsx';
import { TimeText } from '../components/time-text.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useForm } from '../components/use-form.ts';
import { useListState } from '../components/use-list-state.ts';
import { useText } from '../i18n/language.tsx';
import { passwordProblem } from '../session/password-rules.ts';
import { useMay } from '../session/use-session.ts';
import { usersQuery, type User } from './user-queries.ts';

export function UsersPage(): ReactNode {
  const t = useText();
  const may = useMay('users');
  const [creating, setCreating] = useState(false);
  const list = useListState(['search', 'state']);
  const { search, state } = list.filters;
  const stateFilter = state === 'enable' || state === 'disable' ? state : undefined;
  const query = useQuery(usersQuery({ page: list.page, per_page: list.perPage, search, state: stateFilter }));
  const columns: Column<User>[] = [
    { key: 'name', header: t('user.name'), cell: (user) => <TextLink to={`/users/${user.id}`}>{user.name}</TextLink> },
    { key: 'state', header: t('field.state'), cell: (user) => <StateChip state={user.state} /> },
    { key: 'email', header: t('user.email'), cell: (user) => user.email || '–', from: 'sm' },
    { key: 'location', header: t('field.location'), cell: (user) => user.location || '–', from: 'md' },
    { key: 'created', header: t('field.created'), cell: ({ created_at }) => <TimeText at={created_at} />, from: 'sm' },
  ];
  const create = may && (
    <Button variant="contained" startIcon={<AddIcon />} onClick={() => setCreating(true)}>
      {t('users.create')}
    </Button>
  );
  return (
    <Page title={t('nav.users')} about={t('users.about')} actions={create}>
      <FilterBar list={list}>
        <TextFilter label={t('table.search')} value={search} onChange={(value) => list.setFilter('search', value)} />
        <ChoiceFilter
          label={t('field.state')}
          value={stateFilter}
          onChange={(value) => list.setFilter('state', value)}
          choices={[
            { value: 'enable', label: t('state.enabled') },
            { value: 'disable', label: t('state.disabled') },
          ]}
        />
      </FilterBar>
      <DataTable
        label={t('nav.users')}
        columns={columns}
        rowKey={({ id }) => id}
        query={query}
        list={list}
        empty={null}
      />
      {creating && <NewUserDialog onClose={() => setCreating(false)} />}
    </Page>
  );
}

function NewUserDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const notify = useNotify();
  const form = useForm({
    initial: { name: '', email: '', password: '' },
    check: ({ name, password }) => ({
      name: name.length < 3 ? t('form.tooShort', { min: 3 }) : undefined,
      password: passwordProblem(password, t),
    }),
    send: async (body) => {
      const user = await dataOf(api.POST('/api/v1/users', { body }));
      await client.invalidateQueries({ queryKey: ['users'] });
      notify.done(t('users.created', { name: user.name }));
    },
    onDone: onClose,
  });
  return (
    <FormDialog title={t('users.create')} action={t('common.create')} form={form} onClose={onClose}>
      <TextInput field={form.field('name')} label={t('user.name')} autoComplete="off" autoFocus required />
      <TextInput field={form.field('email')} label={t('user.email')} type="email" autoComplete="off" />
      <TextInput
        field={form.field('password')}
        label={t('users.firstPassword')}
        type="password"
        autoComplete="new-password"
        required
      />
    </FormDialog>
  );
}
