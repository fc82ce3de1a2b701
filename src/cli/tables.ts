/** Answers as tables for people; `--json` shows the same answers as they came. Pure. */
import { table } from 'table';
import type { HolderName, HoldersView, HostView, InstanceView } from '../api/views.ts';
import { describeKib } from '../units.ts';

export function instanceTable(instance: InstanceView): string {
  return grid([
    ['uuid', instance.uuid],
    ['name', instance.name],
    ['state', `${instance.vm_state} (${instance.power_state})`],
    ['host', instance.host],
    ['flavor', `${instance.flavor.name}: ${instance.flavor.vcpus} vCPU, ${instance.flavor.memory_mb} MiB`],
    ['image', instance.image ?? '-'],
    ['project, user', `${instance.project_id}, ${instance.user_id}`],
    ...instance.placement.map((cell) => [
      `guest cell ${cell.guest_cell}`,
      `node ${cell.node}: ${cell.pages} pages of ${describeKib(cell.page_size_kib)}${elsewhereOf(cell)}, vCPU ${cell.vcpus.map((vcpu) => vcpuOf(cell, vcpu)).join(', ')}`,
    ]),
    ['created', instance.created_at],
    ['launched', instance.launched_at ?? '-'],
    ['domain', instance.domain_name],
    ['console', instance.console_log],
  ]);
}

/** Pages of a split guest cell that other nodes give. */
function elsewhereOf({ elsewhere }: InstanceView['placement'][number]): string {
  return elsewhere.map(({ node, pages }) => ` and ${pages} on node ${node}`).join('');
}

/** A vCPU that has a CPU of its own is shown with it. */
function vcpuOf({ pins }: InstanceView['placement'][number], vcpu: number): string {
  const pin = pins.find((candidate) => candidate.vcpu === vcpu);
  return pin === undefined ? `${vcpu}` : `${vcpu} on CPU ${pin.cpu}`;
}

export function instancesTable(instances: readonly InstanceView[]): string {
  return grid([
    ['UUID', 'NAME', 'STATE', 'MEMORY', 'PAGES'],
    ...instances.map((one) => [one.uuid, one.name, one.vm_state, `${one.flavor.memory_mb} MiB`, pagesOf(one)]),
  ]);
}

function pagesOf(instance: InstanceView): string {
  return instance.placement
    .map((cell) => `${cell.pages} x ${describeKib(cell.page_size_kib)} on node ${cell.node}${elsewhereOf(cell)}`)
    .join(', ');
}

/** Who answers is heard, but not all of it need be well. */
function readinessOf({ readiness }: HostView): string {
  if (readiness === undefined) return '';
  return readiness.ready ? ', ready' : `, NOT READY: ${readiness.reasons.join('; ')}`;
}

export function hostTable(host: HostView): string {
  const rows = host.nodes.flatMap(({ node, pools }) =>
    pools.map((pool) =>
      [
        node,
        describeKib(pool.page_size_kib),
        pool.total,
        pool.free,
        pool.claimed,
        pool.reserved,
        pool.held_by_instances ?? '?',
        pool.kept_for_shut_off,
      ].map(String),
    ),
  );
  const promised = host.promised.filter((entry) => entry.pages > 0);
  return [
    `${host.host}: API ${host.api_version}, ${host.instances} instances${readinessOf(host)}\n`,
    grid([['NODE', 'PAGE', 'TOTAL', 'FREE', 'CLAIMED', 'RESERVED', 'HELD', 'KEPT'], ...rows]),
    ...promised.map(
      (entry) => `of the free pages of ${describeKib(entry.page_size_kib)}, ${entry.pages} are promised to mappings\n`,
    ),
    ...(host.holders === undefined ? [] : [holdersTable(host.holders)]),
  ].join('');
}

function holdersTable({ available, pools, unreadable }: HoldersView): string {
  if (!available) return 'who holds the pages cannot be told: the kernel of that host cannot be asked\n';
  const rows = pools.flatMap(({ node, page_size_kib, holders, unexplained }) => {
    const pool = [String(node), describeKib(page_size_kib)];
    return [
      ...holders.map((holder) => [...pool, nameOf(holder), `${holder.pages}`, `${holder.also_mapped}`]),
      ...(unexplained > 0 ? [[...pool, 'unexplained', `${unexplained}`, '0']] : []),
    ];
  });
  return [
    rows.length === 0 ? 'nobody holds a page\n' : grid([['NODE', 'PAGE', 'HOLDER', 'HELD', 'ALSO MAPPED'], ...rows]),
    ...unreadable.map(
      (holder) => `${nameOf(holder)} has ${describeKib(holder.hugetlb_kib)} of pages and may not be looked into\n`,
    ),
  ].join('');
}

function nameOf({ instance, pid, command }: HolderName): string {
  const process = `${command} (pid ${pid})`;
  return instance === null ? process : `${instance.name} ${instance.uuid}, ${process}`;
}

function grid(rows: string[][]): string {
  if (rows.length === 0) return '';
  return table(rows, {
    drawHorizontalLine: (line, count) => line === 0 || line === 1 || line === count,
    columnDefault: { wrapWord: false },
  });
}
