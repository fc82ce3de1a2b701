// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Secret } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** Secrets: passphrases and keys that domains and pools use. */
export class SecretCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Defines a secret, without a value yet, or changes the definition of the one with this uuid.
   * virSecretDefineXML, SECRET_DEFINE_XML.
   * @param flags See {@link SecretDefineFlags}.
   * @throws {LibvirtError} XML_ERROR: what is no secret.
   * @throws {LibvirtError} INTERNAL_ERROR: a use that another secret has.
   */
  async defineXML(xml: string, flags: number = 0, options?: CallOptions): Promise<Secret> {
    const result = await this.#caller.call(Procedures.SECRET_DEFINE_XML, { xml, flags }, options);
    return result.secret;
  }

  /**
   * The value of a secret: at most 64 KiB of any bytes.
   * virSecretSetValue, SECRET_SET_VALUE.
   * @throws {LibvirtError} NO_SECRET: there is no such secret.
   */
  async setValue(secret: Secret, value: Buffer, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.SECRET_SET_VALUE, { secret, value, flags }, options);
  }

  /**
   * The value of a secret.
   * virSecretGetValue, SECRET_GET_VALUE.
   * @throws {LibvirtError} NO_SECRET: there is no such secret, or it has no value.
   * @throws {LibvirtError} INVALID_SECRET: the secret is private.
   */
  async getValue(secret: Secret, flags: number = 0, options?: CallOptions): Promise<Buffer> {
    const result = await this.#caller.call(Procedures.SECRET_GET_VALUE, { secret, flags }, options);
    return result.value;
  }

  /**
   * The secret for a use.
   * virSecretLookupByUsage, SECRET_LOOKUP_BY_USAGE.
   * @param usageType See {@link SecretUsageType}.
   * @throws {LibvirtError} NO_SECRET: there is none.
   */
  async lookupByUsage(usageType: number, usageID: string, options?: CallOptions): Promise<Secret> {
    const result = await this.#caller.call(Procedures.SECRET_LOOKUP_BY_USAGE, { usageType, usageID }, options);
    return result.secret;
  }

  /**
   * The secret with a uuid.
   * virSecretLookupByUUID, SECRET_LOOKUP_BY_UUID.
   * @throws {LibvirtError} NO_SECRET: there is none.
   */
  async lookupByUUID(uuid: string, options?: CallOptions): Promise<Secret> {
    const result = await this.#caller.call(Procedures.SECRET_LOOKUP_BY_UUID, { uuid }, options);
    return result.secret;
  }

  /**
   * The secret's XML; its value is not in it.
   * virSecretGetXMLDesc, SECRET_GET_XML_DESC.
   * @throws {LibvirtError} NO_SECRET: there is no such secret.
   */
  async getXMLDesc(secret: Secret, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.SECRET_GET_XML_DESC, { secret, flags }, options);
    return result.xml;
  }

  /**
   * Removes a secret and its value.
   * virSecretUndefine, SECRET_UNDEFINE.
   * @throws {LibvirtError} NO_SECRET: there is no such secret.
   */
  async undefine(secret: Secret, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.SECRET_UNDEFINE, { secret }, options);
  }
}
