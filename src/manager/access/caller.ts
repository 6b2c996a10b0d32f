/** Who makes a request. */
export interface Caller {
  readonly kind: 'user' | 'token';
  readonly userId: number;
  /** Name of the user or of the token. */
  readonly name: string;
  /** The initial password has to be changed before any other call. */
  readonly mustChangePassword: boolean;
  /** The scopes of a token; a user is only bounded by his roles. */
  readonly scopes: readonly string[];
  /** Session of a signed-in user. */
  readonly sessionId?: string;
}
