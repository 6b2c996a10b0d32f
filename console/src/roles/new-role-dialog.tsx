import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useNavigate } from 'react-router';
import { api, dataOf } from '../api/client.ts';
import { FormDialog } from '../components/form-dialog.tsx';
import { TextInput } from '../components/fields.tsx';
import { useForm } from '../components/use-form.ts';
import { useText } from '../i18n/language.tsx';
import { PermissionsTable, withPermission } from './permissions-table.tsx';
import { permissionsQuery, type Permission } from './role-queries.ts';

interface RoleValues {
  readonly role: string;
  readonly permissions: readonly Permission[];
}

export function NewRoleDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const { data: known = [] } = useQuery(permissionsQuery);
  const form = useForm<RoleValues>({
    initial: { role: '', permissions: [] },
    check: ({ role, permissions }) => ({
      role: /^[A-Za-z][A-Za-z0-9._-]*$/.test(role) ? undefined : t('roles.badName'),
      permissions: permissions.length === 0 ? t('roles.needsPermission') : undefined,
    }),
    send: async ({ role, permissions }) => {
      await dataOf(api.POST('/api/v1/roles', { body: { role, permissions: [...permissions] } }));
      await client.invalidateQueries({ queryKey: ['roles'] });
      await navigate(`/roles/${encodeURIComponent(role)}`);
    },
    onDone: onClose,
  });
  const { value, problem } = form.field('permissions');
  return (
    <FormDialog title={t('roles.create')} action={t('common.create')} form={form} onClose={onClose}>
      <TextInput field={form.field('role')} label={t('roles.role')} autoFocus required />
      <PermissionsTable
        known={known}
        granted={value}
        problem={problem}
        onChange={(permission, granted) => form.set({ permissions: withPermission(value, permission, granted) })}
      />
    </FormDialog>
  );
}
