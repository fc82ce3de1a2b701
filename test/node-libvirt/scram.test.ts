/** SCRAM and SASLprep: the RFCs' own exchanges, and servers that lie. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prepared } from '../../src/node-libvirt/auth/saslprep.ts';
import { ScramError, ScramExchange, type ScramHash } from '../../src/node-libvirt/auth/scram.ts';

const user = { username: 'user', password: 'pencil' };

const vectors = [
  {
    source: 'RFC 5802, section 5',
    hash: 'sha1',
    nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    serverFirst: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    clientFinal: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    serverFinal: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    source: 'RFC 7677, section 3',
    hash: 'sha256',
    nonce: 'rOprNGfwEbeRWgbNEkqO',
    serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    clientFinal:
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
] as const;

describe.each(vectors)('$source', ({ hash, nonce, serverFirst, clientFinal, serverFinal }) => {
  test('says what the RFC says, and believes the server', async () => {
    const exchange = new ScramExchange(hash, user, nonce);
    expect(exchange.clientFirst().toString()).toBe(`n,,n=user,r=${nonce}`);
    expect((await exchange.clientFinal(Buffer.from(serverFirst))).toString()).toBe(clientFinal);
    expect(() => exchange.verify(Buffer.from(serverFinal))).not.toThrow();
  });

  test.each(['', 'v=', 'v=AAAA', serverFinal.replace(/=.(.*)/, '=A$1'), 'e=invalid-proof', 'v=*'])(
    'does not believe a server that ends with %j',
    async (lie) => {
      const exchange = new ScramExchange(hash, user, nonce);
      await exchange.clientFinal(Buffer.from(serverFirst));
      expect(() => exchange.verify(Buffer.from(lie))).toThrow(ScramError);
    },
  );

  test('does not believe one that skips the middle', () => {
    expect(() => new ScramExchange(hash, user, nonce).verify(Buffer.from(serverFinal))).toThrow(ScramError);
  });
});

const badFirsts = [
  ['', /not SCRAM/],
  ['r=abcX,s=c2FsdA==', /not SCRAM/],
  ['m=ext,r=abcX,s=c2FsdA==,i=4096', /not SCRAM/],
  ['r=abc,s=c2FsdA==,i=4096', /another exchange/],
  ['r=xyzabc,s=c2FsdA==,i=4096', /another exchange/],
  ['r=abcX,s=c2FsdA==,i=1', /1 iterations/],
  ['r=abcX,s=c2FsdA==,i=4095', /4095 iterations/],
  ['r=abcX,s=c2FsdA==,i=999999999', /999999999 iterations/],
  ['r=abcX,s=c2FsdA==,i=99999999999', /not SCRAM/],
  ['r=abcX,s=,i=4096', /not SCRAM/],
  ['e=unknown-user', /unknown-user/],
] as const;

test.each(badFirsts)('a first message of %j ends it', async (text, message) => {
  const exchange = new ScramExchange('sha256', user, 'abc');
  await expect(exchange.clientFinal(Buffer.from(text))).rejects.toThrow(message);
  await expect(exchange.clientFinal(Buffer.from(text))).rejects.toThrow(ScramError);
});

test('whoever knows the password agrees, whatever name, password and hash', async () => {
  const names = fc.stringMatching(/^[ -~]{1,20}$/);
  const hashes = fc.constantFrom<ScramHash>('sha1', 'sha256', 'sha512');
  const property = fc.asyncProperty(
    hashes,
    names,
    names,
    fc.uint8Array({ minLength: 1, maxLength: 32 }),
    async (hash, username, password, salt) => {
      const exchange = new ScramExchange(hash, { username, password });
      const first = exchange.clientFirst().toString();
      const [, name, nonce] = /^n,,n=([^,]*),r=([!-+\--~]+)$/.exec(first) ?? [];
      expect(name?.replaceAll('=2C', ',').replaceAll('=3D', '=')).toBe(username);
      const server = new Server(hash, password, Buffer.from(salt), first.slice(3), nonce ?? '');
      const final = await exchange.clientFinal(Buffer.from(server.first));
      expect(() => exchange.verify(Buffer.from(server.answer(final.toString())))).not.toThrow();
    },
  );
  await fc.assert(property, { numRuns: 30 });
});

test('each exchange has a nonce of its own, and shows no password', () => {
  const exchanges = Array.from({ length: 100 }, () => new ScramExchange('sha256', user));
  expect(new Set(exchanges.map((exchange) => exchange.clientFirst().toString())).size).toBe(100);
  expect(inspect(exchanges[0], { showHidden: true, depth: 9 })).not.toContain('pencil');
});

describe('SASLprep', () => {
  // RFC 4013, section 3
  test.each([
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['a\u00a0b', 'a b'],
    ['Größe', 'Größe'],
    ['Gro\u0308ße', 'Größe'],
    ['\u0627\u0628', '\u0627\u0628'],
  ])('%j is %j', (text, result) => {
    expect(prepared('password', text)).toBe(result);
  });

  test.each(['\u0007', '\u0627\u0031', '\u00ad', 'a\u200e', '\ue000', 'a\u0627b', '\u{e0041}', 'x\ufffd'])(
    '%j is refused, and not repeated',
    (text) => {
      expect(() => prepared('password', text)).toThrow(RangeError);
      expect(() => prepared('password', text)).not.toThrow(text);
    },
  );
});

test('nothing at all is refused', () => {
  expect(() => prepared('username', '')).toThrow('the username is empty');
});

/** The other side, straight from RFC 5802, section 3. */
class Server {
  readonly first: string;
  readonly #hash: ScramHash;
  readonly #salted: Buffer;
  readonly #clientFirstBare: string;

  constructor(hash: ScramHash, password: string, salt: Buffer, clientFirstBare: string, nonce: string) {
    this.#hash = hash;
    this.#salted = pbkdf2Sync(password, salt, 4096, createHash(hash).digest().length, hash);
    this.#clientFirstBare = clientFirstBare;
    this.first = `r=${nonce}server,s=${salt.toString('base64')},i=4096`;
  }

  /** Checks the client's proof and gives the server's. */
  answer(clientFinal: string): string {
    const [, withoutProof = '', proof = ''] = /^(c=biws,r=[^,]+),p=(.+)$/.exec(clientFinal) ?? [];
    const message = `${this.#clientFirstBare},${this.first},${withoutProof}`;
    const clientKey = this.#hmac(this.#salted, 'Client Key');
    const signature = this.#hmac(createHash(this.#hash).update(clientKey).digest(), message);
    const shown = Buffer.from(proof, 'base64').map((byte, index) => byte ^ (signature[index] ?? 0));
    if (!clientKey.equals(shown)) throw new Error('the client does not know the password');
    return `v=${this.#hmac(this.#hmac(this.#salted, 'Server Key'), message).toString('base64')}`;
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest();
  }
}
