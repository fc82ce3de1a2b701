import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ranges } from '../../src/domain/memory.ts';
import { readDomain } from '../../src/domain/read.ts';
import { renderDomain } from '../../src/domain/render.ts';
import { instanceOf, placedCell, specOf } from './instances.ts';

// Whole documents: an element that appears unasked fails as one that is missing does.
test.each([
  ['one_cell_2m', specOf(instanceOf())],
  [
    'two_cells_2m',
    specOf(
      instanceOf({
        flavor: { id: null, name: 'wide', vcpus: 4, memoryMib: 256, diskGib: 0, extraSpecs: {} },
        imageId: null,
        placement: [placedCell({ vcpus: [0, 1], node: 1 }), placedCell({ guestCell: 1, node: 0, vcpus: [2, 3] })],
      }),
      { virtType: 'qemu', boot: { kind: 'none' } },
    ),
  ],
  [
    'two_cells_split',
    specOf(
      instanceOf({
        flavor: { id: null, name: 'wide', vcpus: 2, memoryMib: 256, diskGib: 0, extraSpecs: {} },
        placement: [
          placedCell({ pages: 40, elsewhere: [{ node: 1, pages: 24 }] }),
          placedCell({ guestCell: 1, node: 1, vcpus: [1] }),
        ],
      }),
    ),
  ],
  [
    'one_cell_small',
    specOf(instanceOf({ placement: [placedCell({ pageSizeKib: 4, pages: 32768 })] }), {
      boot: { kind: 'disk', diskPath: '/instances/disk.raw' },
    }),
  ],
])('%s', async (name, spec) => {
  await expect(renderDomain(spec)).toMatchFileSnapshot(`golden/${name}.xml`);
});

test('no text of a request becomes markup, and every text survives the round trip', () => {
  const text = fc
    .string({ unit: 'binary', maxLength: 40 })
    .filter((value) => !/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u.test(value));
  const nasty = fc.constantFrom(
    `<>&"'`,
    ']]>',
    '</hugenode:instance>',
    '&amp;lt;',
    '&#0;',
    '<!--',
    '<![CDATA[',
    '{"a":1}',
    '__proto__',
    '  x  ',
  );
  const any = fc.oneof(text, nasty);
  fc.assert(
    fc.property(
      any,
      any,
      any,
      fc.dictionary(
        any.filter((key) => key !== '__proto__'),
        any,
        { maxKeys: 5 },
      ),
      (name, projectId, flavorName, metadata) => {
        const instance = instanceOf({
          name,
          projectId,
          metadata,
          flavor: { ...instanceOf().flavor, name: flavorName },
        });
        const xml = renderDomain(specOf(instance));
        expect(readDomain(xml).instance).toEqual(instance);
        expect(xml.match(/<devices>/g)).toHaveLength(1);
      },
    ),
    { numRuns: 500 },
  );
});

test('a record of many quotes is read back: the parser’s limit for hostile documents does not apply to our own', () => {
  const metadata = Object.fromEntries(Array.from({ length: 200 }, (_, nth) => [`key-${nth}`, '"&<'.repeat(80)]));
  const instance = instanceOf({ metadata });
  expect(readDomain(renderDomain(specOf(instance))).instance).toEqual(instance);
});

test('a domain that is not ours, or whose record is broken, is not an instance', () => {
  expect(readDomain('<domain><name>x</name></domain>').instance).toBeUndefined();
  const xml = renderDomain(specOf(instanceOf()));
  expect(readDomain(xml.replace('&quot;version&quot;:1', '&quot;version&quot;:2')).instance).toBeUndefined();
  expect(readDomain(xml.replace('{&quot;version', '{version')).instance).toBeUndefined();
});

test('ranges', () => {
  expect(ranges([3, 1, 2, 8, 2])).toBe('1-3,8');
  expect(ranges([])).toBe('');
});
