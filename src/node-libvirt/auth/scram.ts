/**
 * SCRAM, the client's side (RFC 5802, RFC 7677): proves the password without sending it, and has the server prove that
 * it knows it too. Bytes in, bytes out; without channel binding, which libvirt does not offer.
 *
 *   clientFirst() -> server -> await clientFinal(serverFirst) -> server -> verify(serverFinal)
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { prepared } from './saslprep.ts';

export type ScramHash = 'sha1' | 'sha256' | 'sha512';

const derive = promisify(pbkdf2);

/** Header of an exchange without channel binding, and its base64 as the final message repeats it. */
const GS2_HEADER = 'n,,';
const CHANNEL_BINDING = 'biws';
const NONCE_BYTES = 24;
/** The RFC's least. Fewer would make the proof we send cheap to guess from, for a server that is not what it says. */
const LEAST_ITERATIONS = 4096;
/** About a second of one core; more would let a server keep it busy. */
const MOST_ITERATIONS = 1_000_000;
const HASH_BYTES: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/** The server broke the rules of SCRAM, or does not know the password itself. */
export class ScramError extends Error {
  override readonly name = 'ScramError';
}

export class ScramExchange {
  readonly #hash: ScramHash;
  readonly #password: string;
  readonly #clientNonce: string;
  readonly #clientFirstBare: string;
  #serverSignature: Buffer | undefined;

  /** @param nonce of one's own for test vectors only */
  constructor(
    hash: ScramHash,
    credentials: { readonly username: string; readonly password: string },
    nonce: string = randomBytes(NONCE_BYTES).toString('base64'),
  ) {
    this.#hash = hash;
    this.#password = prepared('password', credentials.password);
    this.#clientNonce = nonce;
    const name = prepared('username', credentials.username).replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.#clientFirstBare = `n=${name},r=${nonce}`;
  }

  clientFirst(): Buffer {
    return Buffer.from(GS2_HEADER + this.#clientFirstBare);
  }

  /** @throws {ScramError} */
  async clientFinal(serverFirst: Buffer): Promise<Buffer> {
    const text = serverFirst.toString();
    const { nonce, salt, iterations } = parseServerFirst(text);
    if (!nonce.startsWith(this.#clientNonce) || nonce.length === this.#clientNonce.length)
      throw new ScramError('the server’s nonce does not continue ours: this answer belongs to another exchange');
    const salted = await derive(this.#password, salt, iterations, HASH_BYTES[this.#hash], this.#hash);
    const withoutProof = `c=${CHANNEL_BINDING},r=${nonce}`;
    const authMessage = `${this.#clientFirstBare},${text},${withoutProof}`;
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const signature = this.#hmac(storedKey, authMessage);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), authMessage);
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** Without it anybody could play the server. @throws {ScramError} */
  verify(serverFinal: Buffer): void {
    const text = serverFinal.toString();
    const [, error] = /^e=([^,]*)/.exec(text) ?? [];
    if (error !== undefined) throw new ScramError(`the server says ${JSON.stringify(error.slice(0, 100))}`);
    const [, encoded] = /^v=([A-Za-z\d+/]+={0,2})(?:,|$)/.exec(text) ?? [];
    const given = Buffer.from(encoded ?? '', 'base64');
    const expected = this.#serverSignature;
    if (expected === undefined || given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new ScramError('the server did not prove that it knows the password: it may not be the one it seems');
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest();
  }
}

function parseServerFirst(text: string): { nonce: string; salt: Buffer; iterations: number } {
  const [, error] = /^e=([^,]*)/.exec(text) ?? [];
  if (error !== undefined) throw new ScramError(`the server says ${JSON.stringify(error.slice(0, 100))}`);
  // «m=» at the beginning would be an extension that one must know, which nobody does.
  const parts = /^r=([\u0021-\u002b\u002d-\u007e]+),s=([A-Za-z\d+/]+={0,2}),i=([1-9]\d{0,8})(?:,|$)/.exec(text);
  if (parts === null)
    throw new ScramError('the server’s first message is not SCRAM: nonce, salt and count are missing');
  const [, nonce = '', salt = '', count = ''] = parts;
  const iterations = Number(count);
  if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS)
    throw new ScramError(
      `the server asks for ${iterations} iterations; ${LEAST_ITERATIONS} to ${MOST_ITERATIONS} are taken`,
    );
  return { nonce, salt: Buffer.from(salt, 'base64'), iterations };
}
