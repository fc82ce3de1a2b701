/** Folders of the agent: they are there, or can be made, have room, and QEMU can pass through. */
import { dirname } from 'node:path';
import { isLocal } from '../../hypervisor/libvirt_link.ts';
import type { Settings } from '../../settings/schema.ts';
import { describeKib } from '../../units.ts';
import { note, ok, problem, unreadable, warning, type Check, type Context, type Verdict } from '../check.ts';
import { mayUse, octal, readQemuUser, type User } from '../host_facts.ts';
import type { FileStat, HostRoot, Reading, Room } from '../host_root.ts';
import { quoted } from '../shell.ts';

export type Folder = {
  readonly setting: string;
  readonly path: string;
  readonly exists: boolean;
  /** The path or the nearest folder above that is there, and its file system's room. */
  readonly nearest: string;
  readonly room: Reading<Room>;
  /** Folders on the way, from the top, where QEMU has to pass. */
  readonly way: readonly { readonly path: string; readonly stat: FileStat }[];
};

export type DiskState = {
  readonly folders: readonly Folder[];
  readonly qemuUser: User | undefined;
  readonly settingsWords: string;
};

const GIB = 1024 ** 3;
const LITTLE_BYTES = GIB;
/** Below this SQLite and console logs fail soon. */
const NONE_BYTES = GIB / 8;
const LITTLE_FILES = 0.01;

export const diskSpace: Check = {
  id: 'disk-space',
  title: 'folders of the agent have room, and QEMU can reach its files',
  subject: 'agent',
  run: async (context) => decideDisk(await readDisk(context)),
};

async function readDisk({ root, settings, settingsWords }: Context): Promise<DiskState> {
  const wanted = foldersOf(settings);
  return {
    folders: await Promise.all(wanted.map((one) => readFolder(root, one))),
    qemuUser: await readQemuUser(root),
    settingsWords,
  };
}

/** QEMU opens disks, kernels and initrds itself; the rest is the agent's alone. */
type WantedFolder = { readonly setting: string; readonly path: string; readonly isQemus: boolean };

function foldersOf({ instances, images, rpc, spool, libvirt }: Settings): WantedFolder[] {
  const isHere = isLocal(libvirt.uri);
  const files = [
    { setting: 'rpc.journal_path', path: rpc.journal_path },
    { setting: 'spool.path', path: spool.path },
  ];
  return [
    { setting: 'instances.path', path: instances.path, isQemus: isHere },
    { setting: 'images.path', path: images.path, isQemus: isHere },
    ...files.filter(({ path }) => path !== '').map((one) => ({ ...one, path: dirname(one.path), isQemus: false })),
  ];
}

async function readFolder(root: HostRoot, { setting, path, isQemus }: WantedFolder): Promise<Folder> {
  let nearest = path;
  while (nearest !== '/' && nearest !== '.' && (await root.stat(nearest)).is === 'absent') nearest = dirname(nearest);
  const way = isQemus
    ? await Promise.all(ancestorsOf(nearest).map(async (one) => ({ path: one, stat: await root.stat(one) })))
    : [];
  return {
    setting,
    path,
    exists: nearest === path,
    nearest,
    room: await root.room(nearest),
    way: way.flatMap(({ path: at, stat }) => (stat.is === 'read' ? [{ path: at, stat: stat.value }] : [])),
  };
}

function ancestorsOf(path: string): string[] {
  const above = dirname(path);
  return above === path ? [path] : [...ancestorsOf(above), path];
}

/** Pure. */
export function decideDisk({ folders, qemuUser, settingsWords }: DiskState): Verdict[] {
  const denied = folders.filter(({ room }) => room.is !== 'read').map(({ path }) => path);
  return [
    ...(denied.length > 0 ? [unreadable('disk-space', 'how much room there is', denied, settingsWords)] : []),
    ...folders.flatMap(roomOf),
    ...folders.flatMap((folder) => (folder.setting === 'images.path' && !folder.exists ? [noImages(folder)] : [])),
    ...closedFolders(folders, qemuUser),
  ];
}

function roomOf({ setting, path, nearest, room }: Folder): Verdict[] {
  if (room.is !== 'read') return [];
  const { freeBytes, freeFiles, files } = room.value;
  const details = { setting, path, free_bytes: freeBytes, free_files: freeFiles };
  const text = `${setting}: ${describeKib(Math.floor(freeBytes / 1024))} free at ${path}`;
  const complaint = {
    what: text,
    why: 'without room the agent cannot note requests nor keep samples, and disks and console logs of guests fail; the command shows what is large',
    mend: [`du -xh --max-depth=2 ${quoted(nearest)} | sort -h | tail -n 20`],
    details,
  };
  if (freeBytes < NONE_BYTES) return [problem(complaint)];
  if (freeBytes < LITTLE_BYTES) return [warning(complaint)];
  // Some file systems (btrfs) have no fixed number of files, and say 0.
  if (files > 0 && freeFiles < files * LITTLE_FILES)
    return [
      warning({
        ...complaint,
        what: `${setting}: ${freeFiles} of ${files} files left at ${path}`,
        why: 'a file system without files to give is full, whatever room it has; the command counts them',
        mend: [`du -x --inodes --max-depth=2 ${quoted(nearest)} | sort -n | tail -n 20`],
      }),
    ];
  return [ok(text, details)];
}

function noImages({ path }: Folder): Verdict {
  return note({
    what: `images.path: there is no ${path}`,
    why: 'guests without an image start; an image is a folder below it with kernel, initrd and cmdline, or with disk.raw',
    mend: [`mkdir -p ${quoted(path)}`],
  });
}

function closedFolders(folders: readonly Folder[], qemuUser: User | undefined): Verdict[] {
  if (qemuUser === undefined) return [];
  const closed = new Map(
    folders.flatMap(({ way }) =>
      way.filter(({ stat }) => !mayUse(stat, qemuUser, 1)).map(({ path, stat }) => [path, stat]),
    ),
  );
  return [...closed].map(([path, { mode, uid, gid }]) =>
    warning({
      what: `${qemuUser.name} cannot pass through ${path} (mode ${octal(mode)})`,
      why: 'QEMU cannot open the disks and kernels below; the command lets every user pass, not list',
      mend: [`chmod o+x ${quoted(path)}`],
      details: { path, mode: octal(mode), uid, gid },
    }),
  );
}
