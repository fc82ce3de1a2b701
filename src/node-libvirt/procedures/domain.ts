/** Domains: looking up, life, description (virDomain*). */
import { domain } from '../wire/objects.ts';
import { flagsWithStrings, typedParams } from '../wire/typed_params.ts';
import { bool, flags, hyperNumber, int, list, naming, optional, string, uhyper, uint, uuid } from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const SAVE_PARAMS_MAX = 64;
const LAUNCH_SECURITY_MAX = 64;
const MESSAGES_MAX = 2048;

const text = optional(string);
const anImpact = naming('DomainModificationImpact', flags);
const metadataType = naming('DomainMetadataType', int);

export const domainProcedures = remote({
  DOMAIN_LOOKUP_BY_UUID: {
    number: 24,
    isPriority: true,
    args: { uuid },
    result: { domain },
    method: {
      c: 'virDomainLookupByUUID',
      doc: 'The domain with a uuid.',
      throws: { NO_DOMAIN: 'there is none' },
    },
  },
  DOMAIN_LOOKUP_BY_NAME: {
    number: 23,
    isPriority: true,
    args: { name: string },
    result: { domain },
    method: { c: 'virDomainLookupByName', doc: 'The domain with a name.', throws: { NO_DOMAIN: 'there is none' } },
  },
  DOMAIN_LOOKUP_BY_ID: {
    number: 22,
    isPriority: true,
    args: { id: int },
    result: { domain },
    method: {
      c: 'virDomainLookupByID',
      doc: 'The running domain with an id.',
      throws: { NO_DOMAIN: 'none that runs has it' },
    },
  },
  DOMAIN_DEFINE_XML_FLAGS: {
    number: 350,
    isPriority: true,
    args: { xml: string, flags: naming('DomainDefineFlags', flags) },
    result: { domain },
    method: {
      c: 'virDomainDefineXMLFlags',
      doc: 'Defines a persistent domain, or changes the definition of the one with this uuid. It does not start.',
      throws: {
        XML_DETAIL: 'what is not well-formed',
        XML_ERROR: 'what is no domain',
        XML_INVALID_SCHEMA: 'what VALIDATE finds to be none',
        CONFIG_UNSUPPORTED: 'what the hypervisor does not have',
        OPERATION_FAILED: 'a name that another uuid has',
      },
    },
  },
  DOMAIN_CREATE_XML: {
    number: 10,
    args: { xml: string, flags: naming('DomainCreateFlags', flags) },
    result: { domain },
    method: {
      c: 'virDomainCreateXML',
      doc: 'Starts a transient domain: it is gone when the guest ends. Takes seconds.',
      throws: {
        OPERATION_FAILED: 'a name that another uuid has',
        OPERATION_INVALID: 'it runs already',
        INTERNAL_ERROR: 'QEMU ended at once; the message quotes it',
      },
    },
  },
  DOMAIN_CREATE_WITH_FLAGS: {
    number: 196,
    args: { domain, flags: naming('DomainCreateFlags', flags) },
    result: { domain },
    method: {
      c: 'virDomainCreateWithFlags',
      doc: 'Starts a defined domain and answers it with its new id. Takes seconds.',
      throws: {
        OPERATION_INVALID: 'it runs already',
        INTERNAL_ERROR: 'QEMU ended at once; the message quotes it',
      },
    },
  },
  DOMAIN_DESTROY: {
    number: 12,
    isPriority: true,
    args: { domain },
    method: {
      c: 'virDomainDestroy',
      doc: 'Ends the guest at once, as if unplugged. A transient domain is gone then.',
      throws: { OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_DESTROY_FLAGS: {
    number: 234,
    isPriority: true,
    args: { domain, flags: naming('DomainDestroyFlags', flags) },
    method: {
      c: 'virDomainDestroyFlags',
      doc: 'Ends the guest at once, as if unplugged. A transient domain is gone then.',
      throws: {
        OPERATION_INVALID: 'it does not run',
        SYSTEM_ERROR: 'with int1 16 (EBUSY): QEMU did not end within the time libvirt grants, so repeat',
      },
    },
  },
  DOMAIN_UNDEFINE_FLAGS: {
    number: 231,
    isPriority: true,
    args: { domain, flags: naming('DomainUndefineFlags', flags) },
    method: {
      c: 'virDomainUndefineFlags',
      doc: 'Removes the definition; a running domain becomes transient.',
      throws: {
        OPERATION_INVALID:
          'it is transient, or it has a managed save image, snapshots or NVRAM and flags do not say what of it',
      },
    },
  },
  DOMAIN_SHUTDOWN_FLAGS: {
    number: 258,
    args: { domain, flags: naming('DomainShutdownFlags', flags) },
    method: {
      c: 'virDomainShutdownFlags',
      doc: 'Asks the guest to shut down and does not wait for it.',
      throws: {
        OPERATION_INVALID: 'it does not run',
        AGENT_UNRESPONSIVE: 'GUEST_AGENT, and no agent answers',
        ARGUMENT_UNSUPPORTED: 'GUEST_AGENT, and the domain has no channel for it',
      },
    },
  },
  DOMAIN_REBOOT: {
    number: 27,
    args: { domain, flags: naming('DomainRebootFlags', flags) },
    method: {
      c: 'virDomainReboot',
      doc: 'Asks the guest to reboot and does not wait for it.',
      throws: {
        OPERATION_INVALID: 'it does not run',
        AGENT_UNRESPONSIVE: 'GUEST_AGENT, and no agent answers',
        ARGUMENT_UNSUPPORTED: 'GUEST_AGENT, and the domain has no channel for it',
      },
    },
  },
  DOMAIN_RESET: {
    number: 245,
    args: { domain, flags },
    method: {
      c: 'virDomainReset',
      doc: 'The reset button: the guest begins anew without shutting down.',
      throws: { OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_SUSPEND: {
    number: 34,
    args: { domain },
    method: {
      c: 'virDomainSuspend',
      doc: "Stops the guest's CPUs and keeps its memory.",
      throws: { OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_RESUME: {
    number: 28,
    args: { domain },
    method: {
      c: 'virDomainResume',
      doc: 'Lets a suspended guest run on.',
      throws: { OPERATION_INVALID: 'it does not run, or it does already' },
    },
  },
  DOMAIN_GET_XML_DESC: {
    number: 14,
    args: { domain, flags: naming('DomainXMLFlags', flags) },
    result: { xml: string },
    method: { c: 'virDomainGetXMLDesc', doc: "The domain's XML; without INACTIVE that of the running guest." },
  },
  DOMAIN_GET_INFO: {
    number: 16,
    args: { domain },
    // state is a char and nrVirtCpu a short: both travel as four bytes.
    result: {
      state: naming('DomainState', uint),
      maxMemKib: hyperNumber,
      memoryKib: hyperNumber,
      nrVirtCpu: uint,
      cpuTimeNs: uhyper,
    },
    method: {
      c: 'virDomainGetInfo',
      doc: 'State, memory (`memoryKib` is what the balloon leaves the guest) and CPU time used.',
      returns: 'DomainInfo',
    },
  },
  DOMAIN_GET_STATE: {
    number: 212,
    isPriority: true,
    args: { domain, flags },
    result: { state: naming('DomainState', int), reason: naming('DomainStateReason', int) },
    method: {
      c: 'virDomainGetState',
      doc: 'State and how it came about; answered also while a job holds the domain.',
      returns: 'DomainStateAndReason',
    },
  },
  DOMAIN_IS_ACTIVE: {
    number: 150,
    isPriority: true,
    args: { domain },
    result: { isActive: bool },
    method: { c: 'virDomainIsActive', doc: 'Whether the domain runs (or is suspended).' },
  },
  DOMAIN_IS_PERSISTENT: {
    number: 151,
    isPriority: true,
    args: { domain },
    result: { isPersistent: bool },
    method: { c: 'virDomainIsPersistent', doc: 'Whether the domain is defined, so that it outlives its guest.' },
  },
  DOMAIN_GET_AUTOSTART: {
    number: 15,
    isPriority: true,
    args: { domain },
    result: { isAutostart: bool },
    method: { c: 'virDomainGetAutostart', doc: 'Whether the domain starts with the host.' },
  },
  DOMAIN_SET_AUTOSTART: {
    number: 29,
    isPriority: true,
    args: { domain, autostart: bool },
    method: {
      c: 'virDomainSetAutostart',
      doc: 'Whether the domain shall start with the host.',
      throws: { OPERATION_INVALID: 'it is transient' },
    },
  },
  DOMAIN_SET_METADATA: {
    number: 264,
    args: { domain, type: metadataType, metadata: text, key: text, uri: text, flags: anImpact },
    method: {
      c: 'virDomainSetMetadata',
      doc:
        "Title, description or an XML element of the user's; null removes it. For an element `uri` is its namespace and " +
        '`key` the prefix that libvirt gives its root: the XML must not declare that prefix itself.',
      throws: { OPERATION_INVALID: 'LIVE, and it does not run' },
    },
  },
  DOMAIN_GET_METADATA: {
    number: 265,
    args: { domain, type: metadataType, uri: text, flags: anImpact },
    result: { metadata: string },
    method: {
      c: 'virDomainGetMetadata',
      doc: "Title, description or the XML element of a namespace (`uri`); the element's root has no prefix.",
      throws: { NO_DOMAIN_METADATA: 'there is none' },
    },
  },
  DOMAIN_MANAGED_SAVE: {
    number: 182,
    args: { domain, flags: naming('DomainSaveRestoreFlags', flags) },
    method: {
      c: 'virDomainManagedSave',
      doc: "Writes the guest's memory to disk and ends it; the next start goes on from there. Takes as long as writing does.",
      throws: { OPERATION_INVALID: 'it does not run or is transient', OPERATION_ABORTED: 'somebody aborted the job' },
    },
  },
  DOMAIN_HAS_MANAGED_SAVE_IMAGE: {
    number: 183,
    args: { domain, flags },
    result: { hasImage: bool },
    method: { c: 'virDomainHasManagedSaveImage', doc: 'Whether the next start goes on from a managed save.' },
  },
  DOMAIN_MANAGED_SAVE_REMOVE: {
    number: 184,
    args: { domain, flags },
    method: { c: 'virDomainManagedSaveRemove', doc: 'Throws a managed save image away, if there is one.' },
  },
  DOMAIN_SAVE_PARAMS: {
    number: 440,
    since: '8.4.0',
    args: { domain, params: typedParams(SAVE_PARAMS_MAX), flags: naming('DomainSaveRestoreFlags', flags) },
    method: {
      c: 'virDomainSaveParams',
      doc: "Writes the guest's memory to a file of the host and ends it. Strings: `file` (path), `dxml` (XML to restore with).",
      throws: { OPERATION_INVALID: 'it does not run', OPERATION_ABORTED: 'somebody aborted the job' },
    },
  },
  DOMAIN_RESTORE_PARAMS: {
    number: 441,
    since: '8.4.0',
    args: { params: typedParams(SAVE_PARAMS_MAX), flags: naming('DomainSaveRestoreFlags', flags) },
    method: {
      c: 'virDomainRestoreParams',
      doc: 'Starts the guest that saveParams wrote to a file. Strings: `file` (path), `dxml` (XML to use instead).',
      throws: { OPERATION_FAILED: 'the file is no saved guest', OPERATION_INVALID: 'the domain runs already' },
    },
  },
  DOMAIN_GET_LAUNCH_SECURITY_INFO: {
    number: 396,
    args: { domain, flags: flagsWithStrings },
    result: { params: typedParams(LAUNCH_SECURITY_MAX) },
    method: {
      c: 'virDomainGetLaunchSecurityInfo',
      doc: "The measurement of an encrypted guest's memory at launch, by libvirt's names, e.g. `sev-measurement`.",
      returns: 'TypedParamRecord',
      shape: 'record',
    },
  },
  DOMAIN_SET_LAUNCH_SECURITY_STATE: {
    number: 439,
    since: '8.0.0',
    args: { domain, params: typedParams(LAUNCH_SECURITY_MAX), flags },
    method: {
      c: 'virDomainSetLaunchSecurityState',
      doc: 'Puts a secret into the memory of an encrypted guest that has not begun to run. Strings: `sev-secret`, `sev-secret-header`.',
      throws: { OPERATION_UNSUPPORTED: 'the guest has no launch security' },
    },
  },
  DOMAIN_GET_MESSAGES: {
    number: 426,
    since: '7.1.0',
    args: { domain, flags: naming('DomainMessageType', flags) },
    result: { messages: list(string, MESSAGES_MAX) },
    method: {
      c: 'virDomainGetMessages',
      doc: 'What libvirt has to say against the domain: tainting configuration and use of what is deprecated.',
    },
  },
});
