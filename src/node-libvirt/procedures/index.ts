/** The whole table. */
import { authenticationProcedures } from './authentication.ts';
import { connectProcedures } from './connect.ts';
import { domainProcedures } from './domain.ts';
import { domainDeviceProcedures } from './domain_devices.ts';
import { domainSnapshotProcedures } from './domain_snapshot.ts';
import { domainStatisticsProcedures } from './domain_statistics.ts';
import { eventProcedures, qemuEventProcedures } from './events.ts';
import { networkProcedures } from './network.ts';
import { nodeProcedures } from './node.ts';
import { qemuProcedures } from './qemu.ts';
import { secretProcedures } from './secret.ts';
import { storageProcedures } from './storage.ts';

export const Procedures = Object.freeze({
  ...authenticationProcedures,
  ...connectProcedures,
  ...nodeProcedures,
  ...domainProcedures,
  ...domainSnapshotProcedures,
  ...domainStatisticsProcedures,
  ...domainDeviceProcedures,
  ...networkProcedures,
  ...storageProcedures,
  ...secretProcedures,
  ...qemuProcedures,
  ...eventProcedures,
  ...qemuEventProcedures,
});
