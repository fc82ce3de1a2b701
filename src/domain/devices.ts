/** What the guest boots from and the devices it has. Pure. */
import type { BootSource, DomainSpec, XmlFragment } from './spec.ts';

/** Children of <os> that say what to boot. */
export function bootElements(boot: BootSource): XmlFragment {
  switch (boot.kind) {
    case 'kernel':
      return { kernel: boot.kernelPath, initrd: boot.initrdPath, cmdline: boot.commandLine };
    case 'disk':
      return { boot: { '@dev': 'hd' } };
    case 'none':
      return {};
  }
}

export function devices(spec: DomainSpec): XmlFragment {
  return {
    ...(spec.boot.kind === 'disk' ? { disk: disk(spec.boot.diskPath) } : {}),
    // No USB: nothing here uses it, and its controller costs an idle guest a timer.
    controller: [{ '@type': 'usb', '@model': 'none' }],
    serial: {
      '@type': 'pty',
      // Written by virtlogd, which rotates it.
      log: { '@file': spec.consoleLogPath, '@append': 'off' },
      target: { '@port': 0 },
    },
    console: { '@type': 'pty', target: { '@type': 'serial', '@port': 0 } },
    // Without a period the statistics are one frozen sample from the moment the guest's driver came up.
    memballoon: { '@model': 'virtio', stats: { '@period': spec.balloonPeriodS } },
    rng: { '@model': 'virtio', backend: { '@model': 'random', '#text': '/dev/urandom' } },
  };
}

function disk(path: string): XmlFragment {
  return {
    '@type': 'file',
    '@device': 'disk',
    driver: { '@name': 'qemu', '@type': 'raw', '@cache': 'none', '@discard': 'unmap' },
    source: { '@file': path },
    target: { '@dev': 'vda', '@bus': 'virtio' },
  };
}
