import { randomInt } from 'node:crypto';
import { hash, verify } from '@node-rs/bcrypt';

/** bcrypt reads at most 72 bytes; longer passwords are rejected rather than cut. */
export const minPasswordLength = 8;
export const maxPasswordLength = 72;

/** Two to the power of this many rounds: some 60 ms per guess. */
const cost = 10;

/** Matches nothing; compared for unknown users, so that the response time does not reveal which names exist. */
const nobodysHash = '$2b$10$CwTycUXWue0Thq9StjUM0uJ8Q1m4kTtzQp7ZpXq5cJpJ1yq0eF5uW';

export function hashPassword(password: string): Promise<string> {
  return hash(password, cost);
}

/** @param encrypted undefined for an unknown user: returns false after the same time. */
export async function passwordMatches(password: string, encrypted: string | undefined): Promise<boolean> {
  // An account without a password, from an OAuth provider, has an empty hash.
  const known = encrypted !== undefined && encrypted !== '';
  const matches = await verify(password, known ? encrypted : nobodysHash);
  return known && matches;
}

/** 20 characters that are not confused with each other when read from a screen. */
export function generatePassword(): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789';
  return Array.from({ length: 20 }, () => alphabet[randomInt(alphabet.length)]).join('');
}
