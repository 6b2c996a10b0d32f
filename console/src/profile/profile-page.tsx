import Alert from '@mui/material/Alert';
import Chip from '@mui/material/Chip';
import Stack from '@mui/material/Stack';
import type { ReactNode } from 'react';
import { Page } from '../components/page.tsx';
import { Section } from '../components/section.tsx';
import { useText } from '../i18n/language.tsx';
import { useSession } from '../session/use-session.ts';
import { PasswordForm } from './password-form.tsx';
import { ProfileForm } from './profile-form.tsx';

export function ProfilePage(): ReactNode {
  const t = useText();
  const { user, roles } = useSession();
  return (
    <Page title={user.name}>
      {user.must_change_password && <Alert severity="warning">{t('profile.mustChange')}</Alert>}
      <PasswordForm userId={user.id} />
      {!user.must_change_password && <ProfileForm user={user} />}
      <Section title={t('nav.roles')}>
        <Stack direction="row" useFlexGap spacing={1} sx={{ flexWrap: 'wrap' }}>
          {roles.map((role) => (
            <Chip key={role} label={role} />
          ))}
        </Stack>
      </Section>
    </Page>
  );
}
