/** A host with two NUMA cells and huge pages, and a guest of 512 MiB for it. */
import type { Connection } from '../../src/node-libvirt/index.ts';
import { FakeHost } from '../../src/node-libvirt/testing/index.ts';

/** In KiB. */
export const GIB = 1024 * 1024;
export const UUID = '6695eb01-f6a4-8304-79aa-97f2502e193f';

export function twoCells(): FakeHost {
  return new FakeHost({
    cells: [
      {
        cpus: [0, 1, 2, 3],
        memoryKib: 8 * GIB,
        pools: [
          { sizeKib: 2048, total: 1024 },
          { sizeKib: GIB, total: 2 },
        ],
      },
      { cpus: [4, 5, 6, 7], memoryKib: 8 * GIB, pools: [{ sizeKib: 2048, total: 512 }] },
    ],
  });
}

/** With what else it shall have. */
export function guest(more = '', name = 'guest', uuid = UUID): string {
  return `<domain type='kvm'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>512</memory><vcpu>2</vcpu>${more}</domain>`;
}

export function huge(page = ''): string {
  return `<memoryBacking><hugepages>${page}</hugepages></memoryBacking>`;
}

export function on(nodeset: string, mode = 'strict'): string {
  return `<numatune><memory mode='${mode}' nodeset='${nodeset}'/></numatune>`;
}

/** Free pages of a size, cell by cell. */
export function freePages(host: FakeHost, sizeKib = 2048): (number | undefined)[] {
  return host.cells.map((cell) => cell.findPool(sizeKib)?.free);
}

/** Defines and starts. */
export async function startDomain(connection: Connection, xml: string): Promise<void> {
  const domain = await connection.domain.defineXMLFlags(xml);
  await connection.domain.createWithFlags(domain);
}
