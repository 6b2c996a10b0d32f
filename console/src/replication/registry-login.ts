/** Logins of a rule as its form has them. What was given before comes out without its password. */

export interface TypedLogin {
  readonly username: string;
  readonly password: string;
  /** What the rule names: a source, or a target. */
  readonly place: string;
}

interface LoginProblems {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** @param kept of the rule as it is. @param required what is said of a field that is missing */
export function loginProblems(
  { username, password, place }: TypedLogin,
  kept: Omit<TypedLogin, 'password'> | undefined,
  required: string,
): LoginProblems {
  // A password stays with the registry and the name that it was given for.
  const stays = username === kept?.username && registryOf(place) === registryOf(kept.place);
  return {
    username: username === '' && password !== '' ? required : undefined,
    password: username !== '' && password === '' && !stays ? required : undefined,
  };
}

/** Whether the login is sent: without a new password it stays as it is, and without a name there is none. */
export function isLoginSent({ username, password }: Omit<TypedLogin, 'place'>): boolean {
  return password !== '' || username === '';
}

function registryOf(place: string): string | undefined {
  return /^(?:https?:\/\/)?[^/]+/.exec(place)?.[0].toLowerCase();
}
