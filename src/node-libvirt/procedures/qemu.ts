/** QEMU itself, past libvirt (virDomainQemu*). */
import { domain } from '../wire/objects.ts';
import { defaulting, flags, int, naming, optional, string } from '../wire/xdr.ts';
import { qemu } from './procedure.ts';

export const qemuProcedures = qemu({
  QEMU_DOMAIN_MONITOR_COMMAND: {
    number: 1,
    args: { domain, command: string, flags: naming('DomainQemuMonitorCommandFlags', flags) },
    result: { result: string },
    method: {
      c: 'virDomainQemuMonitorCommand',
      doc:
        "A command for QEMU's monitor, as JSON or with HMP as a line for people, and its answer. Errors of QEMU are in " +
        'the answer. libvirt counts the domain as tainted from then on.',
      throws: { OPERATION_INVALID: 'it does not run' },
    },
  },
  QEMU_DOMAIN_AGENT_COMMAND: {
    number: 3,
    args: {
      domain,
      command: string,
      timeoutSeconds: defaulting(naming('DomainQemuAgentCommandTimeout', int), -1),
      flags,
    },
    result: { result: optional(string) },
    method: {
      c: 'virDomainQemuAgentCommand',
      doc: "A command for the guest's agent, as JSON, and its answer.",
      throws: {
        AGENT_UNRESPONSIVE: 'no agent answers',
        ARGUMENT_UNSUPPORTED: 'the domain has no channel for it',
        OPERATION_INVALID: 'it does not run',
      },
    },
  },
});
