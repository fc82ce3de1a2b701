import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ClaimLedger } from '../../src/admission/claims.ts';
import { AdmissionGate, type GateOutcome } from '../../src/admission/gate.ts';
import { describeRefusal } from '../../src/admission/refusal.ts';
import { DEFAULT_RULES, type AdmissionRules } from '../../src/admission/rules.ts';
import { placedCell } from '../domain/instances.ts';
import { guestOf, hostOf } from './hosts.ts';

const claimantOf = (instanceUuid: string, projectId = 'p') => ({ instanceUuid, projectId });

/** A pool whose free count the test moves as a starting QEMU would, and a gate in front of it. */
function poolOf(pages: number, settleTimeoutMs = 1000, rules: Partial<AdmissionRules> = {}) {
  const pool = { free: pages, promised: 0, reads: 0 };
  const ledger = new ClaimLedger();
  const gate = new AdmissionGate({
    readHost: async () => {
      pool.reads += 1;
      await sleep(1);
      return hostOf([pool.free], { promised2M: pool.promised });
    },
    ledger,
    rules: { ...DEFAULT_RULES, ...rules },
    settleTimeoutMs,
  });
  return { pool, ledger, gate };
}

async function admitted(answer: ReturnType<AdmissionGate['admit']>) {
  const result = await answer;
  if (!result.admitted) throw new Error(`refused: ${JSON.stringify(result.refusal)}`);
  return result;
}

test('whoever counts is told how each request ended, and why', async () => {
  const told: GateOutcome[] = [];
  let isAway = false;
  const gate = new AdmissionGate({
    readHost: () => (isAway ? Promise.reject(new Error('libvirt is away')) : Promise.resolve(hostOf([20]))),
    ledger: new ClaimLedger(),
    rules: DEFAULT_RULES,
    settleTimeoutMs: 1,
    onOutcome: (outcome) => told.push(outcome),
  });
  await gate.admit(claimantOf('i-1'), guestOf(16));
  await gate.admit(claimantOf('i-2'), guestOf(16));
  isAway = true;
  await expect(gate.admit(claimantOf('i-3'), guestOf(16))).rejects.toThrow('libvirt is away');
  expect(told.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['admitted', 'none'],
    ['refused', 'insufficient-resources'],
    ['failed', 'host-not-read'],
  ]);
  expect(told.every(({ tookMs }) => tookMs >= 0 && tookMs < 5_000)).toBe(true);
});

test('24 at once into a pool that fits 7: exactly 7, however the starts proceed', async () => {
  const { pool, ledger, gate } = poolOf(7 * 16 + 5);
  const answers = await Promise.all(
    Array.from({ length: 24 }, async (_, nth) => {
      const answer = await gate.admit(claimantOf(`i-${nth}`), guestOf(16));
      if (!answer.admitted) return false;
      // Pages go gradually and late, as QEMU takes them.
      for (let taken = 0; taken < 16; taken += 4) {
        await sleep(Math.random() * 5);
        pool.free -= 4;
      }
      await sleep(Math.random() * 5);
      ledger.end(answer.claim);
      return true;
    }),
  );
  expect(answers.filter(Boolean)).toHaveLength(7);
  expect(pool.free).toBe(5);
  expect(ledger.unsettled()).toEqual([]);
});

test('a second guest that exactly fits is admitted while the first is half allocated', async () => {
  const { pool, ledger, gate } = poolOf(32);
  const first = await admitted(gate.admit(claimantOf('first'), guestOf(16)));
  pool.free -= 8; // half of the first guest: 24 free, 16 still claimed, 8 of them twice
  const second = gate.admit(claimantOf('second'), guestOf(16));
  await sleep(20);
  pool.free -= 8;
  ledger.end(first.claim);
  expect((await admitted(second)).placement).toMatchObject([{ node: 0, pages: 16 }]);
});

test('a starting QEMU is promised its pages before it touches them: they count once', async () => {
  const { pool, ledger, gate } = poolOf(32);
  const first = await admitted(gate.admit(claimantOf('first'), guestOf(16)));
  pool.promised = 16; // mapped, nothing touched
  const second = gate.admit(claimantOf('second'), guestOf(16));
  await sleep(20);
  pool.promised = 0;
  pool.free -= 16;
  ledger.end(first.claim);
  expect((await admitted(second)).placement).toMatchObject([{ node: 0, pages: 16 }]);
});

test('pages promised to someone else are not free', async () => {
  const { pool, gate } = poolOf(32);
  pool.promised = 17;
  expect(await gate.admit(claimantOf('one'), guestOf(16))).toMatchObject({
    admitted: false,
    refusal: { shortfalls: [{ free: 32, promised: 17, needed: 16 }] },
  });
});

test('what cannot fit when the starts under way succeed is refused at once', async () => {
  const { gate } = poolOf(32, 60_000);
  await admitted(gate.admit(claimantOf('first'), guestOf(16)));
  expect(await gate.admit(claimantOf('too large'), guestOf(33))).toMatchObject({ admitted: false });
});

test('a start that fails gives its claim back to whoever waits', async () => {
  const { ledger, gate } = poolOf(16);
  const first = await admitted(gate.admit(claimantOf('first'), guestOf(16)));
  const second = gate.admit(claimantOf('second'), guestOf(16));
  await sleep(20);
  ledger.end(first.claim); // the pages were never taken
  expect((await admitted(second)).placement).toMatchObject([{ node: 0, pages: 16 }]);
});

test('waiting for a start is bounded', async () => {
  const { gate } = poolOf(16, 50);
  await admitted(gate.admit(claimantOf('first'), guestOf(16)));
  expect(await gate.admit(claimantOf('second'), guestOf(16))).toMatchObject({
    admitted: false,
    refusal: { shortfalls: [{ claimed: 16, free: 16 }] },
  });
});

test('a claim that settles while the host is read still counts in that decision', async () => {
  const ledger = new ClaimLedger();
  const first = ledger.add(claimantOf('first'), [placedCell({ pages: 16 })]);
  let reads = 0;
  const gate = new AdmissionGate({
    readHost: async () => {
      reads += 1;
      if (reads > 1) return hostOf([0]);
      // The count was read before the first guest took its pages, and arrives after its claim has settled.
      ledger.end(first);
      return hostOf([16]);
    },
    ledger,
    rules: DEFAULT_RULES,
    settleTimeoutMs: 1000,
  });
  expect(await gate.admit(claimantOf('second'), guestOf(16))).toMatchObject({ admitted: false });
  expect(reads).toBe(2);
});

test('a host that cannot be read fails that request and no other', async () => {
  const ledger = new ClaimLedger();
  let broken = true;
  const gate = new AdmissionGate({
    readHost: async () => {
      if (broken) throw new Error('libvirt is gone');
      return hostOf([16]);
    },
    ledger,
    rules: DEFAULT_RULES,
    settleTimeoutMs: 1000,
  });
  await expect(gate.admit(claimantOf('one'), guestOf(16))).rejects.toThrow('libvirt is gone');
  broken = false;
  await admitted(gate.admit(claimantOf('two'), guestOf(16)));
});

test('a project has what its quota allows, counted with what is under way', async () => {
  const quota = { instances: 2, pages: [{ pageSizeKib: 2048, pages: 40 }] };
  const { gate } = poolOf(1000, 1000, { projectQuota: quota });
  await admitted(gate.admit(claimantOf('one'), guestOf(16)));
  expect(await gate.admit(claimantOf('large'), guestOf(25))).toMatchObject({
    refusal: { reason: 'project-quota', what: 'pages', used: 16, needed: 25, quota: 40 },
  });
  await admitted(gate.admit(claimantOf('two'), guestOf(24)));
  const third = await gate.admit(claimantOf('three'), guestOf(1));
  expect(third).toMatchObject({ refusal: { what: 'instances', used: 2, quota: 2 } });
  expect(!third.admitted && describeRefusal(third.refusal)).toBe(
    'project p may have 2 instances on this host; it has 2 and needs 1 more',
  );
  await admitted(gate.admit(claimantOf('other', 'q'), guestOf(40)));
});
