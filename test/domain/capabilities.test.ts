import { expect, test } from 'vitest';
import { readTopology } from '../../src/domain/read.ts';

const cell = (
  id: number,
  cpus: string,
  pools = '<pages unit="KiB" size="4">1000</pages><pages unit="KiB" size="2048">8</pages>',
) =>
  `<cell id="${id}"><memory unit="KiB">9</memory>${pools}<distances><sibling id="0" value="10"/></distances>${cpus}</cell>`;
const document = (cells: string, guests = '') =>
  `<capabilities><host><cpu><arch>x86_64</arch></cpu><topology><cells num="9">${cells}</cells></topology></host>${guests}</capabilities>`;

test('nodes with gaps, one of them without CPUs', () => {
  const cpus = '<cpus num="2"><cpu id="0" socket_id="0"/><cpu id="1" socket_id="0"/></cpus>';
  const topology = readTopology(document(cell(0, cpus) + cell(3, '<cpus num="0"/>')));
  expect(topology.nodes).toEqual([
    {
      node: 0,
      cpus: [0, 1],
      siblings: [[0], [1]],
      memoryKib: 9,
      pools: [
        { pageSizeKib: 4, totalPages: 1000 },
        { pageSizeKib: 2048, totalPages: 8 },
      ],
    },
    {
      node: 3,
      cpus: [],
      siblings: [],
      memoryKib: 9,
      pools: [
        { pageSizeKib: 4, totalPages: 1000 },
        { pageSizeKib: 2048, totalPages: 8 },
      ],
    },
  ]);
});

test('domain types of the host’s own architecture only', () => {
  const guests = `<guest><os_type>hvm</os_type><arch name="x86_64"><domain type="qemu"/><domain type="kvm"/></arch></guest>
    <guest><os_type>hvm</os_type><arch name="aarch64"><domain type="qemu"/></arch></guest>`;
  expect(readTopology(document(cell(0, '<cpus num="0"/>'), guests)).virtTypes).toEqual(['qemu', 'kvm']);
});

test('a host without NUMA topology is no host for us', () => {
  expect(() => readTopology('<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>')).toThrow(
    'topology',
  );
});

test('threads that share a core are told by each of them', () => {
  const cpus =
    '<cpus num="3"><cpu id="0" siblings="0,4"/><cpu id="4" siblings="0,4"/><cpu id="1" siblings="1"/></cpus>';
  expect(readTopology(document(cell(0, cpus))).nodes[0]?.siblings).toEqual([[0, 4], [1]]);
});
