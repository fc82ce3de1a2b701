/**
 * What one admission costs this process: reading the host (libvirt and the kernel), deciding, claiming. libvirt's own
 * time is not in it: the figure is our processor time.
 */
import { tmpdir } from 'node:os';
import { ClaimLedger } from '../../src/admission/claims.ts';
import { AdmissionGate } from '../../src/admission/gate.ts';
import { readPlacementRequest } from '../../src/admission/request.ts';
import { DEFAULT_RULES } from '../../src/admission/rules.ts';
import { LibvirtDriver } from '../../src/hypervisor/libvirt_driver.ts';
import { createLogger } from '../../src/log.ts';
import { quantile, type Figure } from './figures.ts';

const WARM_UP = 2000;
const RUNS = 7;
const ADMISSIONS = 500;

export async function benchAdmission(): Promise<Figure> {
  const driver = new LibvirtDriver({
    uri: 'qemu:///system',
    socket: '',
    callTimeoutMs: 10_000,
    startTimeoutMs: 10_000,
    virtType: 'auto',
    machine: 'q35',
    cpuSharedSet: null,
    pidPath: '/run/libvirt/qemu',
    instancesPath: tmpdir(),
    domainPrefix: 'hugenode-bench-',
    balloonPeriodMs: 10_000,
    log: createLogger({ level: 'error', host: 'bench' }),
  });
  try {
    await driver.open();
    const ledger = new ClaimLedger();
    const readHost = () => driver.readHostMemory();
    const gate = new AdmissionGate({ readHost, ledger, rules: DEFAULT_RULES, settleTimeoutMs: 1000 });
    const read = readPlacementRequest(
      { vcpus: 1, memoryMib: 64, extraSpecs: { 'hw:mem_page_size': '2MB' } },
      {},
      'large',
    );
    if (!read.ok) throw new Error('the request of the bench is wrong');
    const admit = async (count: number) => {
      for (let nth = 0; nth < count; nth += 1) {
        const admission = await gate.admit({ instanceUuid: `bench-${nth}`, projectId: 'bench' }, read.request);
        if (!admission.admitted) throw new Error(`refused: ${JSON.stringify(admission.refusal)}`);
        ledger.end(admission.claim);
      }
    };
    await admit(WARM_UP);
    const cpuMs: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const before = process.cpuUsage();
      await admit(ADMISSIONS);
      const { user, system } = process.cpuUsage(before);
      cpuMs.push((user + system) / 1000 / ADMISSIONS);
    }
    return {
      name: 'one admission, own CPU',
      value: quantile(cpuMs, 0.5),
      unit: 'ms',
      atMost: 0.2,
      how: `reading the host, fit and claim; median of ${RUNS} runs of ${ADMISSIONS}`,
    };
  } finally {
    await driver.close();
  }
}
