/** URIs: libvirt's documented forms, what is refused and why, and that no text whatever does anything else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UriError } from '../../src/node-libvirt/errors.ts';
import { parseUri, type LibvirtUri } from '../../src/node-libvirt/transport/uri.ts';

const plain = { user: undefined, host: undefined, port: undefined };

const understood: readonly (readonly [string, object])[] = [
  ['qemu:///system', { driver: 'qemu', transport: 'unix', ...plain, path: '/system', name: 'qemu:///system' }],
  ['qemu:///session', { transport: 'unix', path: '/session' }],
  ['qemu:/system', { transport: 'unix', name: 'qemu:///system' }],
  ['test:///default', { driver: 'test', transport: 'unix', name: 'test:///default' }],
  ['test:///srv/node%20one.xml', { path: '/srv/node one.xml', name: 'test:///srv/node%20one.xml' }],
  ['qemu+unix:///system?socket=/opt/libvirt-sock', { params: { socket: '/opt/libvirt-sock' }, name: 'qemu:///system' }],
  ['xen://node1/system', { driver: 'xen', transport: 'tls', host: 'node1', name: 'xen:///system' }],
  ['qemu+tls://node1:16515/system', { transport: 'tls', port: 16_515 }],
  ['qemu+tcp:///system', { transport: 'tcp', ...plain }],
  ['qemu+TCP://node1/system', { transport: 'tcp' }],
  ['test+tcp://localhost:5000/default', { host: 'localhost', port: 5000, name: 'test:///default' }],
  ['qemu+tcp://node1:0/system', { port: undefined }],
  ['qemu+tcp://node1:/system', { port: undefined }],
  ['qemu+ssh://rjones@node1/system', { transport: 'ssh', user: 'rjones', host: 'node1', name: 'qemu:///system' }],
  ['qemu+ssh://DOM%5Cjo@node1/system', { user: 'DOM\\jo' }],
  ['qemu+ssh://root@[fe80::1%25eth0]:2222/system', { host: 'fe80::1%eth0', port: 2222 }],
  ['qemu://[::1]/system', { transport: 'tls', host: '::1' }],
  ['qemu+ssh://node1/system?no_tty=1&no_verify=0', { params: { noTty: true, noVerify: false } }],
  ['qemu+ssh://node1/system?KeyFile=a&keyfile=b%2Bc+d', { params: { keyfile: 'b+c+d' } }],
  ['qemu+ssh://node1/system?proxy=netcat;netcat=/bin/nc', { params: { proxy: 'netcat', netcat: '/bin/nc' } }],
  [
    'qemu+ssh://node1/system?mode=direct&x=%26y&socket=/s',
    { name: 'qemu:///system?x=%26y', helperName: 'qemu:///system?mode=direct&x=%26y&socket=%2Fs' },
  ],
  ['qemu+ssh://node1/system?name=test:///default', { name: 'test:///default', helperName: 'test:///default' }],
  ['qemu+ext:///system?command=/bin/way', { transport: 'ext', params: { command: '/bin/way' } }],
  ['remote+ssh://node1/', { driver: 'remote', name: '' }],
  ['esx://node1/dc/cluster?no_sanity=1&=x&&auto_answer', { name: 'esx:///dc/cluster?auto_answer=' }],
  ['qemu:///system#part', { name: 'qemu:///system#part' }],
];

test.each(understood)('%s', (text, parts) => {
  expect(parseUri(text)).toMatchObject({ text, ...parts });
});

const refused: readonly (readonly [string, RegExp])[] = [
  ['', /form driver/],
  ['qemu', /form driver/],
  ['/var/run/libvirt-sock', /form driver/],
  ['qemu:system', /slashes/],
  ['qemu:///sys\ntem', /form driver/],
  ['qemu:///\ud800', /form driver/],
  ['qemu:///sys%0Atem', /control character/],
  ['qemu:///100%', /%25/],
  ['qemu+unix://node1/system', /on this host/],
  ['qemu+unix://root@/system', /on this host/],
  ['qemu+http://node1/system', /there are unix, tcp, tls, ssh, ext/],
  ['qemu+://node1/system', /no transport/],
  ['qemu+libssh://node1/system', /take \+ssh/],
  ['qemu+libssh2://node1/system', /take \+ssh/],
  ['qemu+ssh://-oProxyCommand=sh@node1/system', /«-»/],
  ['qemu+ssh://-oProxyCommand=sh/system', /«-»/],
  ['qemu+ssh://%2DoProxyCommand=sh/system', /«-»/],
  ['qemu+ssh://@node1/system', /user or host/],
  ['qemu+ssh://no de1/system', /user or host/],
  ['qemu+ssh://node1:ssh/system', /a number/],
  ['qemu+ssh://node1:65536/system', /65535/],
  ['qemu+tcp://[::1/system', /IPv6/],
  ['qemu+tcp://[node1]/system', /IPv6/],
  ['qemu+tcp://::1/system', /IPv6/],
  ['qemu+ext:///system', /command=/],
  ['qemu+tls://node1/system?tls_priority=NORMAL', /GnuTLS/],
  ['qemu+ssh://node1/system?known_hosts=/k', /knownHostsFile/],
  ['qemu+ssh://node1/system?known_hosts_verify=auto', /no_verify/],
  ['qemu+ssh://node1/system?sshauth=agent', /PreferredAuthentications/],
  ['qemu+tcp://node1/system?auth=sasl', /option auth/],
  ['qemu+ssh://node1/system?mode=fast', /auto, direct, legacy/],
  ['qemu+ssh://node1/system?proxy=socat', /auto, netcat, native/],
  ['qemu+ssh://node1/system?proxy=native&netcat=nc', /virt-ssh-helper/],
  ['qemu+ssh://node1/system?no_tty=yes', /0 or 1/],
  ['qemu+ssh://node1/system?keyfile=', /empty/],
];

test.each(refused)('%j is refused with what to do', (text, message) => {
  expect(() => parseUri(text)).toThrow(UriError);
  expect(() => parseUri(text)).toThrow(message);
});

test.each(['qemu://nova:secret@node1/', 'qemu://nova:sec/ret@node1/', 'qemu+x://a:secret@b:9/', 'qemu://:secret@/?x'])(
  'a password is neither taken nor repeated: %s',
  (text) => {
    expect(() => parseUri(text)).toThrow(UriError);
    expect(() => parseUri(text)).not.toThrow(/secret|ret@/);
  },
);

describe('properties', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
  const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => text.isWellFormed());
  const printable = value.filter((text) => !/\p{Cc}/u.test(text));

  test('what was put together comes apart again', () => {
    const transport = fc.constantFrom('tcp', 'tls', 'ssh');
    const host = fc.oneof(word, fc.ipV4(), fc.ipV6());
    const port = fc.integer({ min: 1, max: 65_535 });
    const all = fc.record({
      driver: word,
      transport,
      user: word,
      host,
      port,
      path: word,
      foreign: printable,
      own: printable,
    });
    fc.assert(
      fc.property(all, ({ driver, transport: way, user, host: node, port: number, path, foreign, own }) => {
        const place = node.includes(':') ? `[${node}]` : node;
        const query = `x-${driver}=${encodeURIComponent(foreign)}&keyfile=${encodeURIComponent(own)}`;
        const uri = parseUri(`${driver}+${way}://${user}@${place}:${number}/${path}?${query}`);
        expect(uri).toMatchObject({ driver, transport: way, user, host: node, port: number, path: `/${path}` });
        expect(uri.params.keyfile).toBe(own);
        if (driver === 'remote') return;
        expect(uri.name).toBe(`${driver}:///${path}?x-${driver}=${encodeURIComponent(foreign)}`);
        // What the daemon is asked to open is local to it.
        expect(parseUri(uri.name)).toMatchObject({ transport: 'unix', name: uri.name });
      }),
    );
  });

  test('any text is understood or refused as a URI', () => {
    const pieces = fc.constantFrom(
      'qemu',
      '+',
      'ssh',
      ':',
      '/',
      '//',
      '?',
      '#',
      '&',
      ';',
      '=',
      '@',
      '[',
      ']',
      '%',
      '%41',
      '-',
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.oneof(pieces, printable)).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const uri = attempt(text);
        expect(uri?.host?.startsWith('-') ?? false).toBe(false);
        expect(uri?.user?.startsWith('-') ?? false).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test('a long text takes no time', () => {
    for (const piece of ['a', '+', ':', '/', '@', '?a', '&', '=', '%41', '[', 'a:']) {
      const began = performance.now();
      attempt(`qemu+ssh://${piece.repeat(100_000)}`);
      expect(performance.now() - began).toBeLessThan(1000);
    }
  });
});

/** Undefined where it is refused as it should be; anything else is thrown on. */
function attempt(text: string): LibvirtUri | undefined {
  try {
    return parseUri(text);
  } catch (error) {
    if (error instanceof UriError) return undefined;
    throw error;
  }
}
