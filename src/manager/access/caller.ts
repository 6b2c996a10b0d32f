/** Who makes a request. */
export interface Caller {
  readonly kind: 'user' | 'token';
  readonly userId: number;
  /** User name, or name of the token. */
  readonly name: string;
  /** The initial password has not been changed: no other call is allowed until it is. */
  readonly mustChangePassword: boolean;
  /** What a token may be used for; users are bounded by their roles alone. */
  readonly scopes: readonly string[];
  /** Session of a signed-in user. */
  readonly sessionId?: string;
}
