/** Which roles a user has; a switch gives or takes one at once. */
import FormControlLabel from '@mui/material/FormControlLabel';
import FormGroup from '@mui/material/FormGroup';
import Switch from '@mui/material/Switch';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, dataOf } from '../api/client.ts';
import { errorText, ErrorNotice } from '../components/error-notice.tsx';
import { Section } from '../components/section.tsx';
import { useNotify } from '../components/toasts.tsx';
import { useText } from '../i18n/language.tsx';
import { rolesQuery } from '../roles/role-queries.ts';
import { useMay } from '../session/use-session.ts';
import { userRolesQuery, type User } from './user-queries.ts';

export function UserRoles({ user: { id } }: { readonly user: User }): ReactNode {
  const t = useText();
  const notify = useNotify();
  const client = useQueryClient();
  const mayChange = useMay('users');
  const maySeeAll = useMay('roles', 'read');
  const own = useQuery(userRolesQuery(id));
  const all = useQuery({ ...rolesQuery, enabled: maySeeAll });
  const roles = [...new Set([...(all.data ?? []), ...(own.data ?? [])])].sort();
  const change = useMutation({
    mutationFn: ({ role, give }: { role: string; give: boolean }) => {
      const options = { params: { path: { id, role } } };
      const path = '/api/v1/users/{id}/roles/{role}';
      return give ? dataOf(api.PUT(path, options)) : dataOf(api.DELETE(path, options));
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['users', 'roles', id] }),
    onError: (error) => notify.failed(errorText(error, t)),
  });
  // A change shows at once, and goes back by itself when it is refused.
  const has = (role: string): boolean =>
    change.isPending && change.variables.role === role ? change.variables.give : (own.data?.includes(role) ?? false);
  return (
    <Section title={t('nav.roles')} about={t('users.rolesAbout')}>
      {own.error && <ErrorNotice error={own.error} />}
      <FormGroup>
        {roles.map((role) => (
          <FormControlLabel
            key={role}
            label={role}
            disabled={!mayChange || change.isPending}
            control={<Switch checked={has(role)} onChange={(_event, give) => change.mutate({ role, give })} />}
          />
        ))}
      </FormGroup>
    </Section>
  );
}
