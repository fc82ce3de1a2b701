// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Domain } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** QEMU itself, past libvirt: its monitor and the guest agent. */
export class DomainQemuCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * A command for QEMU's monitor, as JSON or with HMP as a line for people, and its answer. Errors of QEMU are in
   * the answer. libvirt counts the domain as tainted from then on.
   * virDomainQemuMonitorCommand, QEMU_DOMAIN_MONITOR_COMMAND.
   * @param flags See {@link DomainQemuMonitorCommandFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async monitorCommand(domain: Domain, command: string, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.QEMU_DOMAIN_MONITOR_COMMAND, { domain, command, flags }, options);
    return result.result;
  }

  /**
   * A command for the guest's agent, as JSON, and its answer.
   * virDomainQemuAgentCommand, QEMU_DOMAIN_AGENT_COMMAND.
   * @param timeoutSeconds See {@link DomainQemuAgentCommandTimeout}.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async agentCommand(
    domain: Domain,
    command: string,
    timeoutSeconds: number = -1,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<string | null> {
    const result = await this.#caller.call(
      Procedures.QEMU_DOMAIN_AGENT_COMMAND,
      { domain, command, timeoutSeconds, flags },
      options,
    );
    return result.result;
  }
}
