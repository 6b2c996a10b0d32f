/** Translates a page of a listing from the store's form into the gateway's. Pure. */
import { malformedListing, xmlRoot } from '../../../../source/object-store.ts';

interface Entry {
  readonly Key?: string;
  readonly Size?: string;
  readonly LastModified?: string;
  readonly ETag?: string;
  readonly StorageClass?: string;
}

interface Listed {
  readonly CommonPrefixes?: readonly { readonly Prefix?: string }[];
  readonly Contents?: readonly Entry[];
}

const mostEntries = 1000;

export interface GatewayQuestion {
  readonly prefix: string;
  readonly marker: string;
  readonly delimiter: string;
  readonly limit: string;
}

/** Undefined when the limit is zero. */
export function storeQuestion({ prefix, marker, delimiter, limit }: GatewayQuestion): Map<string, string> | undefined {
  const most = limit === '' ? mostEntries : Number(limit);
  if (!Number.isInteger(most) || most < 0) return undefined;
  const asked = { prefix, marker, delimiter, 'max-keys': String(Math.min(most, mostEntries)), 'encoding-type': 'url' };
  return new Map(Object.entries(asked).filter(([, value]) => value !== ''));
}

/** Throws PROTOCOL. */
export function gatewayList(xml: string): object {
  const root = xmlRoot(xml, 'ListBucketResult');
  const { CommonPrefixes = [], Contents = [] } = (root === '' ? {} : root) as Listed;
  return {
    CommonPrefixes: CommonPrefixes.map(({ Prefix }) => keyOf(Prefix)),
    Metadatas: Contents.map(({ Key, Size, LastModified, ETag, StorageClass }) => ({
      Key: keyOf(Key),
      ContentLength: Number(Size ?? 0),
      LastModifiedTime: LastModified ?? '',
      ETag: ETag ?? '',
      StorageClass: StorageClass ?? 'STANDARD',
    })),
  };
}

function keyOf(text: string | undefined): string {
  if (text === undefined) throw malformedListing();
  return decodeURIComponent(text.replaceAll('+', ' '));
}
