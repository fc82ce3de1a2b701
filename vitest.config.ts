import { defineConfig } from 'vitest/config';
import { ClosingLine } from './integration/closing_line.ts';

// Vitest reads its configuration from a default export: the one place in the tree that has one.
// oxlint-disable-next-line import/no-default-export
export default defineConfig({
  test: {
    reporters: ['default', new ClosingLine()],
    projects: [
      // Properties take seconds of their own, and the machine may be busy.
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/soak/**'], testTimeout: 20_000 } },
      // Long, and alone: `npm run test:soak`. It measures what is left in memory, for which Node must collect on demand.
      { test: { name: 'soak', include: ['test/soak/**/*.test.ts'], execArgv: ['--expose-gc'] } },
      // Long: `npm run test:numa`. Its host is an emulated machine with four NUMA nodes, in which starts take seconds.
      {
        test: {
          name: 'numa',
          include: ['integration/numa/lane/**/*.test.ts'],
          globalSetup: ['integration/setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          // One lab at a time.
          fileParallelism: false,
        },
      },
      // Long: `npm run test:nova`. It needs Debian's python3-nova, which nothing else does.
      { test: { name: 'nova', include: ['integration/nova/lane/**/*.test.ts'], testTimeout: 7_200_000 } },
      // Long: `npm run test:faults`, `npm run test:cluster`. Each file has brokers of its own to hurt.
      ...[
        { name: 'faults', folder: 'lane' },
        { name: 'cluster', folder: 'cluster_lane' },
      ].map(({ name, folder }) => ({
        test: {
          name,
          include: [`integration/faults/${folder}/**/*.test.ts`],
          globalSetup: ['integration/setup.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // They share processors and page pool.
          fileParallelism: false,
        },
      })),
      {
        test: {
          name: 'integration',
          include: ['integration/**/*.test.ts'],
          exclude: ['integration/*/{lane,cluster_lane}/**'],
          globalSetup: ['integration/setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Tests that start guests share one page pool: one file at a time.
          fileParallelism: false,
        },
      },
    ],
  },
});
