/** Snapshots of domains (virDomainSnapshot*). */
import { domain, domainSnapshot } from '../wire/objects.ts';
import { fixed, flags, int, list, naming, string } from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const SNAPSHOT_LIST_MAX = 16_384;

export const domainSnapshotProcedures = remote({
  DOMAIN_LIST_ALL_SNAPSHOTS: {
    number: 274,
    isPriority: true,
    args: { domain, needResults: fixed(int, 1), flags: naming('DomainSnapshotListFlags', flags) },
    result: { snapshots: list(domainSnapshot, SNAPSHOT_LIST_MAX), count: fixed(int, 0) },
    method: { c: 'virDomainListAllSnapshots', doc: "The domain's snapshots, all of them where flags are 0." },
  },
  DOMAIN_SNAPSHOT_CREATE_XML: {
    number: 185,
    args: { domain, xml: string, flags: naming('DomainSnapshotCreateFlags', flags) },
    result: { snapshot: domainSnapshot },
    method: {
      c: 'virDomainSnapshotCreateXML',
      doc: 'Takes a snapshot as a <domainsnapshot> describes it; without a name it gets the time as name.',
      throws: { CONFIG_UNSUPPORTED: 'a disk that cannot be snapshotted so', OPERATION_INVALID: 'the name is taken' },
    },
  },
  DOMAIN_SNAPSHOT_LOOKUP_BY_NAME: {
    number: 189,
    args: { domain, name: string, flags },
    result: { snapshot: domainSnapshot },
    method: {
      c: 'virDomainSnapshotLookupByName',
      doc: 'The snapshot of a domain with a name.',
      throws: { NO_DOMAIN_SNAPSHOT: 'there is none' },
    },
  },
  DOMAIN_SNAPSHOT_GET_XML_DESC: {
    number: 186,
    args: { snapshot: domainSnapshot, flags: naming('DomainSnapshotXMLFlags', flags) },
    result: { xml: string },
    method: {
      c: 'virDomainSnapshotGetXMLDesc',
      doc: "The snapshot's XML, with that of the domain at its time.",
      throws: { NO_DOMAIN_SNAPSHOT: 'there is no such snapshot' },
    },
  },
  DOMAIN_REVERT_TO_SNAPSHOT: {
    number: 192,
    args: { snapshot: domainSnapshot, flags: naming('DomainSnapshotRevertFlags', flags) },
    method: {
      c: 'virDomainRevertToSnapshot',
      doc: 'Puts the domain back to where it was: its disks, its definition and whether it runs. What came since is lost.',
      throws: {
        NO_DOMAIN_SNAPSHOT: 'there is no such snapshot',
        SNAPSHOT_REVERT_RISKY: 'the guest would have to be ended for it, without FORCE',
      },
    },
  },
  DOMAIN_SNAPSHOT_DELETE: {
    number: 193,
    args: { snapshot: domainSnapshot, flags: naming('DomainSnapshotDeleteFlags', flags) },
    method: {
      c: 'virDomainSnapshotDelete',
      doc: 'Deletes a snapshot; its data too, unless METADATA_ONLY.',
      throws: { NO_DOMAIN_SNAPSHOT: 'there is no such snapshot' },
    },
  },
});
