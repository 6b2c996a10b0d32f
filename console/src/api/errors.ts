/** What went wrong with a call: the manager's own sentence, and which fields it is about. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status; 0 when the manager was not reached. */
  readonly status: number;
  /** What to do about it, where the manager says. */
  readonly hint: string | undefined;
  /** Complaints by field, as in `scopes.cidrs`, of a request that did not fit the schema. */
  readonly fields: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    options: ErrorOptions & { hint?: string; fields?: Record<string, string> } = {},
  ) {
    super(message, options);
    this.status = status;
    this.hint = options.hint;
    this.fields = options.fields ?? {};
  }
}

export function apiErrorOf(response: Response, body: unknown): ApiError {
  const { message, hint, errors } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (typeof errors === 'string') return new ApiError(response.status, errors, { fields: fieldsOf(errors) });
  const text = typeof message === 'string' ? message : typeof body === 'string' ? body : response.statusText;
  return new ApiError(response.status, text, typeof hint === 'string' ? { hint } : {});
}

/** `name: too short; scopes.cidrs.0: is no network` → by field. */
function fieldsOf(errors: string): Record<string, string> {
  return Object.fromEntries(
    errors.split('; ').flatMap((part) => {
      const at = part.indexOf(': ');
      return at < 0 ? [] : [[part.slice(0, at), part.slice(at + 2)]];
    }),
  );
}
