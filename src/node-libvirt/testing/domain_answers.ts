/** What a fake host does and says about its domains: the procedures that a compute driver lives on. */
import {
  DomainCreateFlags,
  DomainModificationImpact,
  DomainState,
  GetAllDomainStatsFlags,
  ListAllDomainsFlags,
} from '../constants/index.ts';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import { Procedures } from '../procedures/index.ts';
import type { Domain } from '../wire/objects.ts';
import type { FakeCall } from './fake_call.ts';
import { invalidOperation, type FakeDomain } from './fake_domain.ts';
import type { FakeHost } from './fake_host.ts';
import type { FakeLibvirtd } from './fake_libvirtd.ts';
import { FakeRefusal } from './refusal.ts';

export function installDomainAnswers(daemon: FakeLibvirtd, host: FakeHost): void {
  installLookup(daemon, host);
  installLife(daemon, host);
  installDescription(daemon, host);
  installStatistics(daemon, host);
}

function installLookup(daemon: FakeLibvirtd, host: FakeHost): void {
  daemon.answer(Procedures.DOMAIN_LOOKUP_BY_UUID, ({ uuid }) => ({
    domain: host.findWhere((one) => one.uuid === uuid, `uuid '${uuid}'`).object,
  }));
  daemon.answer(Procedures.DOMAIN_LOOKUP_BY_NAME, ({ name }) => ({
    domain: host.findWhere((one) => one.name === name, `name '${name}'`).object,
  }));
  daemon.answer(Procedures.DOMAIN_LOOKUP_BY_ID, ({ id }) => ({
    domain: host.findWhere((one) => one.isActive && one.object.id === id, `id '${id}'`).object,
  }));
  daemon.answer(Procedures.CONNECT_LIST_ALL_DOMAINS, ({ flags }) => ({
    domains: host.domains.filter((one) => isListed(one, flags)).map(({ object }) => object),
  }));
}

function installLife(daemon: FakeLibvirtd, host: FakeHost): void {
  daemon.answer(Procedures.DOMAIN_DEFINE_XML_FLAGS, ({ xml }) => ({ domain: host.define(xml).object }));
  daemon.answer(Procedures.DOMAIN_CREATE_XML, ({ xml, flags }, call) =>
    started(host, host.createTransient(xml, startOptions(flags)), flags, call),
  );
  daemon.answer(Procedures.DOMAIN_CREATE_WITH_FLAGS, ({ domain, flags }, call) => {
    const found = host.find(domain);
    host.start(found, startOptions(flags));
    return started(host, found, flags, call);
  });
  const destroy = ({ domain }: { readonly domain: Domain }) => {
    host.destroy(host.find(domain));
    return {};
  };
  daemon.answer(Procedures.DOMAIN_DESTROY, destroy);
  daemon.answer(Procedures.DOMAIN_DESTROY_FLAGS, destroy);
  daemon.answer(Procedures.DOMAIN_UNDEFINE_FLAGS, ({ domain }) => {
    host.undefine(host.find(domain));
    return {};
  });
  // A guest that does what it is asked; it ends a little after the reply, as guests do.
  daemon.answer(Procedures.DOMAIN_SHUTDOWN_FLAGS, ({ domain }) => {
    const found = host.find(domain);
    found.assertActive();
    setImmediate(() => {
      if (found.isActive) host.end(found);
    });
    return {};
  });
  daemon.answer(Procedures.DOMAIN_SUSPEND, ({ domain }) => {
    host.suspend(host.find(domain));
    return {};
  });
  daemon.answer(Procedures.DOMAIN_RESUME, ({ domain }) => {
    host.resume(host.find(domain));
    return {};
  });
}

function installDescription(daemon: FakeLibvirtd, host: FakeHost): void {
  daemon.answer(Procedures.DOMAIN_GET_XML_DESC, ({ domain }) => ({ xml: host.find(domain).xml }));
  daemon.answer(Procedures.DOMAIN_IS_ACTIVE, ({ domain }) => ({ isActive: host.find(domain).isActive }));
  daemon.answer(Procedures.DOMAIN_IS_PERSISTENT, ({ domain }) => ({ isPersistent: host.find(domain).isPersistent }));
  daemon.answer(Procedures.DOMAIN_GET_AUTOSTART, ({ domain }) => ({ isAutostart: host.find(domain).isAutostart }));
  daemon.answer(Procedures.DOMAIN_SET_AUTOSTART, ({ domain, autostart }) => {
    const found = host.find(domain);
    if (!found.isPersistent) throw invalidOperation('cannot set autostart for transient domain');
    found.isAutostart = autostart;
    return {};
  });
  daemon.answer(Procedures.DOMAIN_SET_METADATA, ({ domain, type, metadata, key, uri, flags }) => {
    const found = host.find(domain);
    if ((flags & DomainModificationImpact.LIVE) !== 0) found.assertActive();
    found.setMetadata(type, metadata, key, uri);
    return {};
  });
  daemon.answer(Procedures.DOMAIN_GET_METADATA, ({ domain, type, uri }) => ({
    metadata: host.find(domain).metadata(type, uri),
  }));
  daemon.script(Procedures.DOMAIN_OPEN_CONSOLE, (call) => {
    const { domain } = call.args(Procedures.DOMAIN_OPEN_CONSOLE);
    if (host.domains.some((one) => one.uuid === domain.uuid && one.isActive))
      void call.replyWithStream(Procedures.DOMAIN_OPEN_CONSOLE, {}).echo();
    else call.fail(invalidOperation('domain is not running').error);
  });
}

function installStatistics(daemon: FakeLibvirtd, host: FakeHost): void {
  daemon.answer(Procedures.DOMAIN_GET_STATE, ({ domain }) => {
    const { state, reason } = host.find(domain);
    return { state, reason };
  });
  daemon.answer(Procedures.DOMAIN_GET_INFO, ({ domain }) => {
    const { state, definition, cpuTimeNs } = host.find(domain);
    const { memoryKib, currentMemoryKib, vcpus } = definition;
    return { state, maxMemKib: memoryKib, memoryKib: currentMemoryKib, nrVirtCpu: vcpus, cpuTimeNs };
  });
  daemon.answer(Procedures.DOMAIN_GET_MAX_MEMORY, ({ domain }) => ({
    memoryKib: host.find(domain).definition.memoryKib,
  }));
  daemon.answer(Procedures.DOMAIN_GET_VCPUS_FLAGS, ({ domain }) => ({ count: host.find(domain).definition.vcpus }));
  daemon.answer(Procedures.DOMAIN_MEMORY_STATS, ({ domain }) => ({ stats: host.find(domain).memoryStats() }));
  daemon.answer(Procedures.DOMAIN_SET_MEMORY_STATS_PERIOD, ({ domain, periodSeconds }) => {
    host.find(domain).statsPeriodSeconds = periodSeconds;
    return {};
  });
  daemon.answer(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, ({ domains, stats, flags }) => {
    const known = STATE | CPU_TOTAL | BALLOON | VCPU;
    const isEnforced = ((flags >>> 0) & GetAllDomainStatsFlags.ENFORCE_STATS) !== 0;
    if (isEnforced && (stats & ~known) !== 0)
      throw new FakeRefusal({
        code: ErrorCode.ARGUMENT_UNSUPPORTED,
        domain: ErrorDomain.NONE,
        message: `argument unsupported: Stats types bits 0x${(stats & ~known).toString(16)} are not supported by this daemon`,
      });
    const chosen =
      domains.length === 0
        ? host.domains.filter((one) => isListed(one, flags & LISTING))
        : host.domains.filter((one) => domains.some(({ uuid }) => uuid === one.uuid));
    return { records: chosen.map((one) => ({ domain: one.object, params: one.stats(stats) })) };
  });
}

const STATE = 1;
const CPU_TOTAL = 2;
const BALLOON = 4;
const VCPU = 8;
/** The flags of statistics that choose domains are those of listing. */
const LISTING = 0xff;

function startOptions(flags: number): { readonly isPaused: boolean } {
  return { isPaused: (flags & DomainCreateFlags.START_PAUSED) !== 0 };
}

function started(host: FakeHost, domain: FakeDomain, flags: number, { client }: FakeCall) {
  if ((flags & DomainCreateFlags.START_AUTODESTROY) !== 0)
    void client.gone.then(() => {
      if (domain.isActive) host.destroy(domain);
    });
  return { domain: domain.object };
}

/** libvirt's filters: a domain must meet one flag of each pair that is asked for. */
function isListed(domain: FakeDomain, flags: number): boolean {
  const isShutoff = domain.state === DomainState.SHUTOFF;
  const isRunning = domain.state === DomainState.RUNNING;
  const isPaused = domain.state === DomainState.PAUSED;
  const pairs: readonly (readonly (readonly [number, boolean])[])[] = [
    [
      [ListAllDomainsFlags.ACTIVE, domain.isActive],
      [ListAllDomainsFlags.INACTIVE, !domain.isActive],
    ],
    [
      [ListAllDomainsFlags.PERSISTENT, domain.isPersistent],
      [ListAllDomainsFlags.TRANSIENT, !domain.isPersistent],
    ],
    [
      [ListAllDomainsFlags.RUNNING, isRunning],
      [ListAllDomainsFlags.PAUSED, isPaused],
      [ListAllDomainsFlags.SHUTOFF, isShutoff],
      [ListAllDomainsFlags.OTHER, !isRunning && !isPaused && !isShutoff],
    ],
    [
      [ListAllDomainsFlags.AUTOSTART, domain.isAutostart],
      [ListAllDomainsFlags.NO_AUTOSTART, !domain.isAutostart],
    ],
  ];
  return pairs.every((pair) => {
    const asked = pair.filter(([flag]) => (flags & flag) !== 0);
    return asked.length === 0 || asked.some(([, isMet]) => isMet);
  });
}
