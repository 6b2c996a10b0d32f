/**
 * How schedulers and managers are identified without certificates. Each has a key pair and sends its public key with
 * every response; a daemon trusts keys that it receives on calls to its configured addresses. A call in the other
 * direction carries a proof bound to the called address, so that the callee cannot reuse it elsewhere. An eavesdropper
 * can replay it; only certificates prevent that.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import { LRUCache } from 'lru-cache';
import { maxChannels, maxProofsRemembered } from './limits.ts';

/** In the first metadata of an answer: the server's key, followed by keys that it vouches for. */
export const controlKeysHeader = 'x-dragonfly-control-keys';
/** In the first metadata of an answer: further ports of this service on the same machine, which are never origins. */
export const controlPortsHeader = 'x-dragonfly-control-ports';
/** In the metadata of a request: `key.signature`. */
export const controlProofHeader = 'x-dragonfly-control-proof';

export class ControlKey {
  /** Raw, base64url: 43 characters. */
  readonly publicKey: string;
  readonly #privateKey: KeyObject;
  readonly #proofs = new LRUCache<string, string>({ max: maxChannels });

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '';
  }

  static generate(): ControlKey {
    return new ControlKey(generateKeyPairSync('ed25519').privateKey);
  }

  /** @param pem PKCS #8, as `pem` gives it. */
  static from(pem: string): ControlKey {
    return new ControlKey(createPrivateKey(pem));
  }

  get pem(): string {
    return this.#privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  /** A proof for calls to that address, `host:port` as dialled. */
  proofFor(address: string): string {
    const known = this.#proofs.get(address);
    if (known !== undefined) return known;
    const proof = `${this.publicKey}.${sign(null, claim(address), this.#privateKey).toString('base64url')}`;
    this.#proofs.set(address, proof);
    return proof;
  }

  /** A ticket that the host shows to others: this service has it take part in the task. Valid as long as the key, since clocks differ. */
  ticketFor({ taskId, hostId }: Participation): Buffer {
    const signature = sign(null, participation({ taskId, hostId }), this.#privateKey);
    return Buffer.concat([Buffer.from(this.publicKey, 'base64url'), signature]);
  }
}

/** States that a host takes part in a task. */
export interface Participation {
  readonly taskId: string;
  readonly hostId: string;
}

/** The public key of the service that issued the ticket for this; undefined when it is not valid. */
export function ticketKey(ticket: Uint8Array, claimed: Participation): string | undefined {
  if (ticket.length !== publicKeyBytes + signatureBytes) return undefined;
  const [key, signature] = [ticket.subarray(0, publicKeyBytes), ticket.subarray(publicKeyBytes)];
  return verifiedKey(Buffer.from(key).toString('base64url'), participation(claimed), signature);
}

/** The public key that made the request's proof for this address; undefined when there is none, or it is for another. */
export function provenKey(metadata: Metadata, address: string): string | undefined {
  const [text] = metadata.get(controlProofHeader);
  const match = typeof text === 'string' ? /^([\w-]{43})\.([\w-]{86})$/.exec(text) : null;
  if (!match) return undefined;
  const [proof, x = '', signature = ''] = match;
  const known = `${proof} ${address}`;
  if (provenBefore.has(known)) return x;
  const key = verifiedKey(x, claim(address), Buffer.from(signature, 'base64url'));
  if (key !== undefined) provenBefore.set(known, true);
  return key;
}

/** Every call to an address carries the same proof, and verifying it costs more than the rest of a small call. */
const provenBefore = new LRUCache<string, true>({ max: maxProofsRemembered });

function verifiedKey(x: string, signed: Buffer, signature: Uint8Array): string | undefined {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, signed, key, signature) ? x : undefined;
  } catch {
    return undefined; // 43 characters that are not a key
  }
}

/** The keys sent with a response, in order; at most eight. */
export function toldKeys(metadata: Metadata): string[] {
  const [text] = metadata.get(controlKeysHeader);
  return typeof text === 'string' ? text.split(',', 8).filter((key) => /^[\w-]{43}$/.test(key)) : [];
}

export function toldPorts(metadata: Metadata): number[] {
  const [text] = metadata.get(controlPortsHeader);
  const ports = typeof text === 'string' ? text.split(',', 16).map(Number) : [];
  return ports.filter((port) => Number.isInteger(port) && port > 0 && port < 65_536);
}

const [publicKeyBytes, signatureBytes] = [32, 64];

function participation({ taskId, hostId }: Participation): Buffer {
  return Buffer.from(`dragonfly participation in ${taskId} of ${hostId}`);
}

function claim(address: string): Buffer {
  return Buffer.from(`dragonfly control call to ${address}`);
}
