/** What a read-only connection may not do: libvirt's own list (virCheckReadOnlyGoto), as far as the table goes. */
import type { FakeCall } from './fake_call.ts';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import { Procedures } from '../procedures/index.ts';
import type { RemoteError } from '../wire/remote_error.ts';

/** VIR_DOMAIN_XML_SECURE: passwords in the XML. */
const XML_SECURE = 1;

/** Procedures whose names begin or read like asking. */
const ASKING = /^(AUTH|CONNECT)_|_(GET|LIST|LOOKUP|IS|HAS|STATS)(_|$)|_ADDRESSES$/;

/** Those that ask all the same for what not everybody may know, or that change the host by asking. */
const SECRET: ReadonlySet<string> = new Set([
  'SECRET_GET_VALUE',
  'DOMAIN_GET_GUEST_INFO',
  'DOMAIN_AUTHORIZED_SSH_KEYS_GET',
  'DOMAIN_SET_MEMORY_STATS_PERIOD',
  'NODE_DEVICE_SET_AUTOSTART',
]);

/** The refusal, where a read-only client may not make this call. */
export function readOnlyRefusal(call: FakeCall): Partial<RemoteError> | undefined {
  if (!isForbidden(call)) return undefined;
  return {
    code: ErrorCode.OPERATION_DENIED,
    domain: ErrorDomain.DOMAIN,
    message: `operation forbidden: read only access prevents ${call.name}`,
  };
}

function isForbidden(call: FakeCall): boolean {
  if (call.name.startsWith('QEMU_DOMAIN')) return true;
  if (call.name === Procedures.DOMAIN_GET_XML_DESC.name)
    return (call.args(Procedures.DOMAIN_GET_XML_DESC).flags & XML_SECURE) !== 0;
  if (call.name.startsWith('QEMU_CONNECT')) return false;
  return SECRET.has(call.name) || !ASKING.test(call.name);
}
