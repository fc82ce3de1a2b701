/**
 * `node-libvirt/testing`: a libvirtd for your own tests. FakeLibvirtd is a daemon on a real unix socket whose replies,
 * delays and failures a test decides; FakeHost stands behind it as a host with NUMA cells, page pools and domains.
 *
 * @example
 * const host = new FakeHost({ cells: [{ cpus: [0, 1], memoryKib: 8_388_608, pools: [{ sizeKib: 2048, total: 512 }] }] });
 * await using daemon = await FakeLibvirtd.open({ host });
 * await using connection = await connect(daemon.uri);
 */
export { FakeCall } from './fake_call.ts';
export { FakeClient } from './fake_client.ts';
export { FakeLibvirtd, type FakeDriver, type FakeLibvirtdOptions } from './fake_libvirtd.ts';
export { FakeStream, type FakeStreamEnd } from './fake_stream.ts';
export { ActiveFault, Faults, type Fault, type FaultKind, type FaultOptions, type FaultTarget } from './faults.ts';
export { seededRandom } from './random.ts';
export { FakeRefusal } from './refusal.ts';
export { FakeCell, FakePool, type FakeCellOptions } from './fake_cells.ts';
export { FakeDomain, type BalloonReport } from './fake_domain.ts';
export { FakeHost, type FakeHostOptions, type GuestEnd } from './fake_host.ts';
export type { DomainDefinition, MemoryPart, PageWish } from './domain_definition.ts';
export type { XmlElement } from './xml.ts';
export type { PacketHeader } from '../wire/packet.ts';
export type { RemoteError } from '../wire/remote_error.ts';
