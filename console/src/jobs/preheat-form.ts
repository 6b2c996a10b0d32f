/** A preheat as a form holds it, to what the API takes. */
import type { Problems } from '../components/use-form.ts';
import type { Translate } from '../i18n/text.ts';
import type { NewJob } from './job-queries.ts';

export interface PreheatValues {
  readonly type: 'image' | 'file';
  /** One per line for files. */
  readonly url: string;
  readonly bio: string;
  readonly clusters: readonly string[];
  readonly scope: 'single_seed_peer' | 'all_seed_peers' | 'all_peers';
  readonly target: 'all' | 'ips' | 'count' | 'percentage';
  readonly ips: readonly string[];
  readonly amount: string;
  readonly platform: string;
  readonly username: string;
  readonly password: string;
  readonly tag: string;
  readonly application: string;
  readonly piece_length: string;
  readonly filtered_query_params: readonly string[];
  readonly headers: string;
}

export const emptyPreheat: PreheatValues = {
  type: 'image',
  url: '',
  bio: '',
  clusters: [],
  scope: 'single_seed_peer',
  target: 'all',
  ips: [],
  amount: '',
  platform: '',
  username: '',
  password: '',
  tag: '',
  application: '',
  piece_length: '',
  filtered_query_params: [],
  headers: '',
};

export const pieceLengthsMiB = ['4', '8', '16', '32', '64'];
export const amountLimits = { count: 200, percentage: 100 } as const;

const bytesPerMiB = 1024 * 1024;

export function urlsOf({ url }: PreheatValues): string[] {
  return url
    .split(/\s+/)
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

export function problemsOf(values: PreheatValues, t: Translate): Problems<PreheatValues> {
  const { target } = values;
  const amount = Number(values.amount);
  const most = target === 'percentage' || target === 'count' ? amountLimits[target] : undefined;
  return {
    url: urlProblem(values, t),
    ips: target === 'ips' && values.ips.length === 0 ? t('form.required') : undefined,
    amount:
      most !== undefined && !(Number.isInteger(amount) && amount >= 1 && amount <= most)
        ? t('form.range', { min: 1, max: most })
        : undefined,
    headers: headersOf(values.headers) === undefined ? t('preheat.badHeaders') : undefined,
  };
}

function urlProblem(values: PreheatValues, t: Translate): string | undefined {
  const urls = urlsOf(values);
  if (urls.length === 0) return t('form.required');
  if (values.type === 'image') {
    if (urls.length > 1) return t('preheat.oneImage');
    return isImage(urls[0] ?? '') ? undefined : t('preheat.badImageUrl');
  }
  const bad = urls.find((url) => !/^[a-z][a-z0-9+.-]*:\/\/./i.test(url) || !URL.canParse(url));
  return bad === undefined ? undefined : t('form.badUrl', { url: bad });
}

/** By name, or by the URL of its manifest. The manager looks closer. */
function isImage(text: string): boolean {
  if (text.includes('://')) return /\/v2\/.+\/manifests\/.+/.test(text) && URL.canParse(text);
  return /^[a-z0-9[][\w.:[\]-]*(\/[\w.-]+)*(:[\w.-]+)?(@\w+:[0-9a-f]+)?$/i.test(text);
}

/** `name: value` per line; undefined when a line is none. */
function headersOf(text: string): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*?)\s*$/.exec(line.trim());
    if (!match?.[1]) return undefined;
    headers[match[1]] = match[2] ?? '';
  }
  return headers;
}

export function jobOf(values: PreheatValues): NewJob {
  const urls = urlsOf(values);
  const headers = headersOf(values.headers) ?? {};
  const image =
    values.type === 'image'
      ? present({ platform: values.platform, username: values.username, password: values.password })
      : {};
  return {
    type: 'preheat',
    bio: values.bio.trim(),
    scheduler_cluster_ids: values.clusters.map(Number),
    args: {
      type: values.type,
      ...(urls.length === 1 ? { url: urls[0] } : { urls }),
      scope: values.scope,
      ...targetOf(values),
      ...image,
      ...present({
        tag: values.tag,
        application: values.application,
        filtered_query_params: values.filtered_query_params.join('&'),
      }),
      ...(values.piece_length === '' ? {} : { piece_length: Number(values.piece_length) * bytesPerMiB }),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
    },
  };
}

function targetOf({ scope, target, ips, amount }: PreheatValues): Record<string, unknown> {
  if (scope === 'single_seed_peer' || target === 'all') return {};
  return target === 'ips' ? { ips: [...ips] } : { [target]: Number(amount) };
}

function present(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}
