/** Error answers for clients of S3, with the codes and in the form that their libraries know. */
import type { ServerResponse } from 'node:http';

const refusals = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidURI: 400,
  MethodNotAllowed: 405,
  NoSuchBucket: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
} as const;

export type S3RefusalCode = keyof typeof refusals;

export class S3Refusal extends Error {
  readonly code: S3RefusalCode;
  readonly header: Readonly<Record<string, string>>;

  constructor(code: S3RefusalCode, message: string, header: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.header = header;
  }

  get statusCode(): number {
    return refusals[this.code];
  }
}

/** @param request id of the answer, which is logged on both sides. */
export function answerRefusal(
  response: ServerResponse,
  refusal: S3Refusal,
  { requestId, resource }: { readonly requestId: string; readonly resource: string },
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const fields = {
    Code: refusal.code,
    Message: refusal.message,
    Resource: resource,
    RequestId: requestId,
    HostId: 'dragonfly',
  };
  const elements = Object.entries(fields).map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`);
  const body = `${xmlHead}<Error>${elements.join('')}</Error>`;
  response.writeHead(refusal.statusCode, {
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
    'x-amz-request-id': requestId,
    ...refusal.header,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

export const xmlHead = '<?xml version="1.0" encoding="UTF-8"?>\n';

export function escapeXml(text: string): string {
  return text.replace(
    /[&<>"'\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g,
    (character) => entities[character] ?? '\ufffd', // characters that XML cannot express
  );
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
