/** What somebody did, in words, from what he asked of the API. */
import type { TextKey, Translate } from '../i18n/text.ts';
import { en } from '../i18n/en/index.ts';

type ObjectKey = Extract<TextKey, `object.${string}`>;

interface Asked {
  readonly operation: string;
  readonly path: string;
}

/** Undefined for what is not of the API as we know it: its path says more. */
export function auditWords({ operation, path }: Asked, t: Translate): string | undefined {
  const [, collection = '', id = '', below = ''] = /^\/o?api\/v1\/([^/]+)(?:\/([^/]+))?(?:\/(.+))?$/.exec(path) ?? [];
  if (collection === 'users' && id === 'signin') return t('audit.words.signedIn');
  if (collection === 'users' && id === 'signout') return t('audit.words.signedOut');
  if (collection === 'users' && id === 'signup') return t('audit.words.signedUp');
  if (collection === 'users' && id === 'refresh_token') return t('audit.words.stayed');
  if (collection === 'users' && below === 'reset_password') return t('audit.words.password', { id });
  if (collection === 'concerns' && id === 'acknowledge') return t('audit.words.acknowledged');
  const [part = '', which = ''] = below.split('/');
  if (collection === 'users' && part === 'roles')
    return t(operation === 'PUT' ? 'audit.words.roleGiven' : 'audit.words.roleTaken', {
      id,
      role: decodeURIComponent(which),
    });
  const key = `object.${collection}`;
  if (!isObject(key)) return undefined;
  const values = { object: t(key), id };
  if (collection === 'jobs' && below === 'cancel') return t('audit.words.stopped', values);
  if (collection === 'jobs' && below === 'retry') return t('audit.words.again', values);
  if (collection === 'certificates' && below === 'revoke') return t('audit.words.revoked', values);
  if (operation === 'POST' && id === '') return t('audit.words.created', values);
  return t(operation === 'DELETE' && below === '' ? 'audit.words.deleted' : 'audit.words.changed', values);
}

function isObject(key: string): key is ObjectKey {
  return Object.hasOwn(en, key);
}
