/** Words of commands that people paste into a root shell. Pure. */

/** The word as a shell takes it literally, whatever is in it. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Starts a daemon of Debian's, with systemd where the host runs it. */
export function startCommand(service: keyof typeof BY_HAND, hasSystemd: boolean): string {
  return hasSystemd ? `systemctl start ${service}.service` : BY_HAND[service];
}

/** Starts libvirt's daemon again, and that very process: others of its name may run for others. */
export function restartCommand({ command, pid }: LibvirtDaemon, hasSystemd: boolean): string {
  if (hasSystemd) return `systemctl restart ${command}.service`;
  // A zombie is not waited for: a process 1 that is no init reaps nobody.
  const ended = `[ -e /proc/${pid}/status ] && ! grep -q '^State:.Z' /proc/${pid}/status`;
  return `kill ${pid}; while ${ended}; do sleep 0.2; done; ${BY_HAND[command]}`;
}

export type LibvirtDaemon = { readonly pid: number; readonly command: 'libvirtd' | 'virtqemud' };

const BY_HAND = {
  libvirtd: 'libvirtd -d',
  virtqemud: 'virtqemud -d',
  'rabbitmq-server': 'rabbitmq-server -detached',
} as const;

/** Ends a sentence about what a command of the broker's mends. */
export function elsewhere(isLoopback: boolean): string {
  return isLoopback ? '' : "; rabbitmqctl is for the broker's machine";
}
