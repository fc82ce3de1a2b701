/** Secrets (virSecret*) and network filters (virNWFilter*). */
import { nwfilter, secret } from '../wire/objects.ts';
import { flags, int, naming, opaque, string, uuid } from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const SECRET_VALUE_MAX = 65_536;
const value = opaque(SECRET_VALUE_MAX);
const missing = { NO_SECRET: 'there is no such secret' };

export const secretProcedures = remote({
  SECRET_DEFINE_XML: {
    number: 142,
    args: { xml: string, flags: naming('SecretDefineFlags', flags) },
    result: { secret },
    method: {
      c: 'virSecretDefineXML',
      doc: 'Defines a secret, without a value yet, or changes the definition of the one with this uuid.',
      throws: { XML_ERROR: 'what is no secret', INTERNAL_ERROR: 'a use that another secret has' },
    },
  },
  SECRET_SET_VALUE: {
    number: 144,
    args: { secret, value, flags },
    method: { c: 'virSecretSetValue', doc: 'The value of a secret: at most 64 KiB of any bytes.', throws: missing },
  },
  SECRET_GET_VALUE: {
    number: 145,
    args: { secret, flags },
    result: { value },
    method: {
      c: 'virSecretGetValue',
      doc: 'The value of a secret.',
      throws: { NO_SECRET: 'there is no such secret, or it has no value', INVALID_SECRET: 'the secret is private' },
    },
  },
  SECRET_LOOKUP_BY_USAGE: {
    number: 147,
    isPriority: true,
    args: { usageType: naming('SecretUsageType', int), usageID: string },
    result: { secret },
    method: { c: 'virSecretLookupByUsage', doc: 'The secret for a use.', throws: { NO_SECRET: 'there is none' } },
  },
  SECRET_LOOKUP_BY_UUID: {
    number: 141,
    args: { uuid },
    result: { secret },
    method: { c: 'virSecretLookupByUUID', doc: 'The secret with a uuid.', throws: { NO_SECRET: 'there is none' } },
  },
  SECRET_GET_XML_DESC: {
    number: 143,
    args: { secret, flags },
    result: { xml: string },
    method: { c: 'virSecretGetXMLDesc', doc: "The secret's XML; its value is not in it.", throws: missing },
  },
  SECRET_UNDEFINE: {
    number: 146,
    isPriority: true,
    args: { secret },
    method: { c: 'virSecretUndefine', doc: 'Removes a secret and its value.', throws: missing },
  },
  NWFILTER_DEFINE_XML: {
    number: 180,
    args: { xml: string },
    result: { nwfilter },
    method: {
      c: 'virNWFilterDefineXML',
      doc: 'Defines a filter, or changes the one with this uuid, for running guests too.',
      throws: {
        XML_ERROR: 'what is no filter',
        OPERATION_FAILED: 'a name that another uuid has, or a circle of filters',
      },
    },
  },
  NWFILTER_DEFINE_XML_FLAGS: {
    number: 431,
    since: '7.7.0',
    args: { xml: string, flags: naming('NWFilterDefineFlags', flags) },
    result: { nwfilter },
    method: {
      c: 'virNWFilterDefineXMLFlags',
      doc: 'As defineXML, with flags.',
      throws: { XML_ERROR: 'what is no filter', XML_INVALID_SCHEMA: 'what VALIDATE finds to be none' },
    },
  },
  NWFILTER_LOOKUP_BY_NAME: {
    number: 175,
    isPriority: true,
    args: { name: string },
    result: { nwfilter },
    method: {
      c: 'virNWFilterLookupByName',
      doc: 'The filter with a name.',
      throws: { NO_NWFILTER: 'there is none' },
    },
  },
  NWFILTER_LOOKUP_BY_UUID: {
    number: 176,
    args: { uuid },
    result: { nwfilter },
    method: {
      c: 'virNWFilterLookupByUUID',
      doc: 'The filter with a uuid.',
      throws: { NO_NWFILTER: 'there is none' },
    },
  },
  NWFILTER_GET_XML_DESC: {
    number: 177,
    args: { nwfilter, flags },
    result: { xml: string },
    method: { c: 'virNWFilterGetXMLDesc', doc: "The filter's XML.", throws: { NO_NWFILTER: 'there is none' } },
  },
  NWFILTER_UNDEFINE: {
    number: 181,
    isPriority: true,
    args: { nwfilter },
    method: {
      c: 'virNWFilterUndefine',
      doc: 'Removes a filter.',
      throws: { NO_NWFILTER: 'there is none', OPERATION_INVALID: 'a guest or another filter uses it' },
    },
  },
});
