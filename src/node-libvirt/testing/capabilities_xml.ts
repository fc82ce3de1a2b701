/** The capabilities of a fake host, in the words of libvirt 9.0.0. */
import type { FakeCell } from './fake_cells.ts';
import { element, renderXml, type XmlElement } from './xml.ts';

export type HostFacts = {
  readonly cells: readonly FakeCell[];
  readonly arch: string;
  /** E.g. kvm and qemu. */
  readonly virtTypes: readonly string[];
};

const LOCAL = 10;
const REMOTE = 20;

export function capabilitiesXml({ cells, arch, virtTypes }: HostFacts): string {
  const sizes = [...new Set(cells.flatMap((cell) => cell.pools.map(({ sizeKib }) => sizeKib)))].toSorted(
    (a, b) => a - b,
  );
  const host = element('host', {}, [
    element('cpu', {}, [
      element('arch', {}, [arch]),
      ...sizes.map((size) => element('pages', { unit: 'KiB', size: String(size) })),
    ]),
    element('topology', {}, [
      element(
        'cells',
        { num: String(cells.length) },
        cells.map((cell) => cellElement(cell, cells)),
      ),
    ]),
  ]);
  const guest = element('guest', {}, [
    element('os_type', {}, ['hvm']),
    element('arch', { name: arch }, [
      element('wordsize', {}, ['64']),
      element('emulator', {}, [`/usr/bin/qemu-system-${arch}`]),
      element('machine', { maxCpus: '288' }, ['q35']),
      ...virtTypes.map((type) => element('domain', { type })),
    ]),
  ]);
  return renderXml(element('capabilities', {}, [host, guest]));
}

function cellElement(cell: FakeCell, cells: readonly FakeCell[]): XmlElement {
  const siblings = cells.map((other, index) => {
    const value = cell.distances?.[index] ?? (other === cell ? LOCAL : REMOTE);
    return element('sibling', { id: String(other.id), value: String(value) });
  });
  const cpus = cell.cpus.map((cpu) =>
    element('cpu', {
      id: String(cpu),
      socket_id: String(cell.id),
      die_id: '0',
      core_id: String(cpu),
      siblings: String(cpu),
    }),
  );
  return element('cell', { id: String(cell.id) }, [
    element('memory', { unit: 'KiB' }, [String(cell.memoryKib)]),
    ...cell.pools.map((pool) => element('pages', { unit: 'KiB', size: String(pool.sizeKib) }, [String(pool.total)])),
    element('distances', {}, siblings),
    element('cpus', { num: String(cpus.length) }, cpus),
  ]);
}
