/** What a domain is rendered from: the instance, and the facts of the host that it needs. */
import type { Instance } from '../instance.ts';

export type BootSource =
  | { readonly kind: 'kernel'; readonly kernelPath: string; readonly initrdPath: string; readonly commandLine: string }
  | { readonly kind: 'disk'; readonly diskPath: string }
  | { readonly kind: 'none' };

export type DomainSpec = {
  readonly instance: Instance;
  readonly domainName: string;
  readonly virtType: 'kvm' | 'qemu';
  readonly arch: string;
  readonly machine: string;
  /** The host's base page size: cells on it are plain memory, all others hugepages. */
  readonly basePageSizeKib: number;
  /** Nova's cpu_shared_set, for emulator threads that are to share it; null: not set. */
  readonly cpuSharedSet: readonly number[] | null;
  readonly boot: BootSource;
  readonly consoleLogPath: string;
  readonly balloonPeriodS: number;
};

/** A fragment of the document: element name (attributes begin with @) to its content. */
export type XmlFragment = { readonly [name: string]: XmlContent };
export type XmlContent = string | number | XmlFragment | readonly XmlFragment[] | readonly string[];
