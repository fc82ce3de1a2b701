// Why a connection to a broker did not come about, in words an operator can act on. The broker's own text may hold a
// user name, so what it says is told by its code. Pure.

import { reasonOf } from './logger.ts';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED): is the broker running, is the port right?',
  ENOTFOUND: 'the host name is not known (ENOTFOUND)',
  EAI_AGAIN: 'the host name cannot be looked up now (EAI_AGAIN): does the name server answer?',
  EHOSTUNREACH: 'there is no way to that host (EHOSTUNREACH)',
  ENETUNREACH: 'there is no way to that network (ENETUNREACH)',
  ECONNRESET: 'the connection was cut while it was opened (ECONNRESET): a TLS port, or a proxy without a broker?',
  ERR_TLS_CERT_ALTNAME_INVALID: "the broker's certificate is for another host name",
  CERT_HAS_EXPIRED: "the broker's certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "nobody vouches for the broker's certificate: name its CA (rpc.tls_ca_file)",
  SELF_SIGNED_CERT_IN_CHAIN: "nobody vouches for the broker's certificate: name its CA (rpc.tls_ca_file)",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "nobody vouches for the broker's certificate: name its CA (rpc.tls_ca_file)",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "nobody vouches for the broker's certificate: name its CA (rpc.tls_ca_file)",
};

/** The failure of one attempt in words, without user name or password. */
export function explainConnectFailure(error: unknown, virtualHost: string): string {
  const text = reasonOf(error);
  if (/ACCESS.REFUSED/.test(text)) {
    return 'the broker refuses the user name, the password or the way of login (403 ACCESS_REFUSED)';
  }
  // amqplib 2.3 keeps the broker's reason for a refused connection.open to itself: 530, for either.
  if (/NOT.ALLOWED|Expected ConnectionOpenOk; got <ConnectionClose/.test(text)) {
    return `the broker refuses virtual host ${virtualHost}: it does not exist, or this user may not use it`;
  }
  // RabbitMQ closes the socket, with no word, on what it does not take; so does whatever is not a broker.
  if (/Socket closed abruptly during opening handshake/.test(text)) {
    return 'the connection was closed during the handshake: not AMQP 0-9-1, a TLS port without ssl=true, or a login refused';
  }
  if (/ETIMEDOUT/.test(text)) return 'it does not answer in time (ETIMEDOUT)';
  const code = codeOf(error);
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return 'it does not speak TLS on this port, or none that is common';
  return WORDS[code] ?? text;
}

/** The code of a system or TLS error; empty where there is none. */
function codeOf(error: unknown): string {
  // Node tries each address of a name and tells the failures together.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
