/** The guest that the rows share: emulated, 64 MiB, no system to boot, so that it stands still and costs little. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { World } from './world.ts';

export const GUEST_MEMORY_KIB = 65_536;
export const GUEST_MAC = '52:54:00:6e:6c:76';

/** Pool, network, disk and guest; all go with the world. */
export async function makeGuest(world: World): Promise<void> {
  const { connection } = world;
  const path = join(world.folder, 'pool');
  await mkdir(path);
  const poolXml = `<pool type='dir'><name>${world.nameOf('pool')}</name><target><path>${path}</path></target></pool>`;
  world.pool = await connection.storagePool.createXML(poolXml);
  await connection.network.createXML(`<network><name>${world.nameOf('wire')}</name></network>`);
  await makeDisk(world, 'disk.raw');
  const domain = await connection.domain.defineXMLFlags(guestXml(world, 'guest', 'disk.raw'));
  world.guest = await connection.domain.createWithFlags(domain);
}

/** Raw: QEMU makes other formats itself, but the daemon would want qemu-img for them. */
export async function makeDisk(world: World, name: string): Promise<void> {
  const xml = `<volume><name>${name}</name><capacity unit='MiB'>4</capacity><target><format type='raw'/></target></volume>`;
  await world.connection.storageVol.createXML(world.pool, xml);
}

export function diskPath(world: World, name: string): string {
  return join(world.folder, 'pool', name);
}

/** Its firmware writes to the serial port, so that there is something to read on the console. */
export function guestXml(world: World, part: string, disk: string): string {
  return `<domain type='qemu'>
  <name>${world.nameOf(part)}</name>
  <title>A guest</title>
  <memory unit='KiB'>${GUEST_MEMORY_KIB}</memory>
  <vcpu current='1'>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><bios useserial='yes'/></os>
  <features><acpi/><apic/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='${diskPath(world, disk)}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='${GUEST_MAC}'/>
      <source network='${world.nameOf('wire')}'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'/>
    <console type='pty'/>
    <video><model type='vga'/></video>
    <memballoon model='virtio'/>
  </devices>
</domain>`;
}

/** The smallest domain there is. */
export function tinyXml(name: string, type = 'qemu'): string {
  return `<domain type='${type}'>
  <name>${name}</name>
  <memory unit='KiB'>32768</memory>
  <vcpu>1</vcpu>
  <os><type${type === 'qemu' ? " arch='x86_64'" : ''}>hvm</type></os>
</domain>`;
}
