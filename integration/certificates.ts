/** Certificates of the tests' own, made by openssl for a day: a CA and what it signs, and a CA that nobody knows. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Certificate = { readonly cert: string; readonly key: string };

export type Certificates = {
  readonly ca: string;
  readonly foreignCa: string;
  /** Of 127.0.0.1 and localhost. */
  readonly server: Certificate;
  readonly expiredServer: Certificate;
  readonly client: Certificate;
  readonly expiredClient: Certificate;
  readonly foreignClient: Certificate;
};

const CLIENT = 'extendedKeyUsage=clientAuth';
const SERVER =
  'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature,keyEncipherment';

/** The server's files stay in the folder: ca.pem, server.pem, server.key. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  await Promise.all([makeCa(folder, 'ca'), makeCa(folder, 'foreign-ca')]);
  const [server, expiredServer, client, expiredClient, foreignClient] = await Promise.all([
    sign(folder, 'ca', 'server', SERVER, 1),
    sign(folder, 'ca', 'expired-server', SERVER, -1),
    sign(folder, 'ca', 'client', CLIENT, 1),
    sign(folder, 'ca', 'expired-client', CLIENT, -1),
    sign(folder, 'foreign-ca', 'foreign-client', CLIENT, 1),
  ]);
  const [ca, foreignCa] = await Promise.all([read(folder, 'ca.pem'), read(folder, 'foreign-ca.pem')]);
  return { ca, foreignCa, server, expiredServer, client, expiredClient, foreignClient };
}

async function makeCa(folder: string, name: string): Promise<void> {
  const usage = ['-addext', 'keyUsage=critical,keyCertSign'];
  await openssl(folder, ['req', '-x509', ...newKey(name), '-days', '1', '-out', `${name}.pem`, ...usage]);
}

async function sign(folder: string, ca: string, name: string, extensions: string, days: number): Promise<Certificate> {
  await writeFile(join(folder, `${name}.ext`), extensions);
  await openssl(folder, ['req', '-new', ...newKey(name), '-out', `${name}.csr`]);
  const by = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-set_serial', `0x${serial()}`];
  const what = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`];
  await openssl(folder, ['x509', '-req', ...what, ...by, '-days', String(days)]);
  const [cert, key] = await Promise.all([read(folder, `${name}.pem`), read(folder, `${name}.key`)]);
  return { cert, key };
}

function newKey(name: string): readonly string[] {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  return [...kind, '-keyout', `${name}.key`, '-subj', `/CN=hugenode test ${name}`];
}

function serial(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(1);
}

async function openssl(folder: string, args: readonly string[]): Promise<void> {
  await run('openssl', args, { cwd: folder, timeout: 30_000 });
}

async function read(folder: string, name: string): Promise<string> {
  return readFile(join(folder, name), 'utf8');
}
