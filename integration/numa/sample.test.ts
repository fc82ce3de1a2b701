/** One start and one stop of the NUMA lane (`npm run test:numa`): on a node other than 0, four accounts that agree. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LAB_TIMEOUT_MS } from './lab.ts';
import { expectAgreement, LabHost, nodesOf } from './lab_host.ts';

let host: LabHost;

beforeAll(async () => {
  host = await LabHost.set('numa-sample');
}, LAB_TIMEOUT_MS);

afterAll(() => host?.clear());

test('a guest that only node 1 can take starts there and gives its pages back', async () => {
  await expectAgreement(host);
  // One more than node 0, the next larger, has.
  const instance = await host.create({ pages: 257 });
  expect(nodesOf(instance)).toEqual([1]);
  await expectAgreement(host);
  await host.delete(instance);
  await expectAgreement(host);
});
