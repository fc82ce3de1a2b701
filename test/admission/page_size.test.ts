import { expect, test } from 'vitest';
import { parsePageSize } from '../../src/admission/page_size.ts';

test.each([
  ['small', { kind: 'small' }],
  ['large', { kind: 'large' }],
  ['any', { kind: 'any' }],
  ['2048', { kind: 'explicit', pageSizeKib: 2048 }],
  ['2MB', { kind: 'explicit', pageSizeKib: 2048 }],
  ['2MiB', { kind: 'explicit', pageSizeKib: 2048 }],
  ['1GB', { kind: 'explicit', pageSizeKib: 1048576 }],
  ['2048KB', { kind: 'explicit', pageSizeKib: 2048 }],
  ['16777216b', { kind: 'explicit', pageSizeKib: 2048 }],
  ['+4KB', { kind: 'explicit', pageSizeKib: 4 }],
  ['0.5GB', { kind: 'explicit', pageSizeKib: 524288 }],
])('%s is a page size', (text, expected) => {
  expect(parsePageSize(text)).toEqual(expected);
});

test.each([
  '',
  '2M',
  '1G',
  '2048kB',
  '2mb',
  'Large',
  ' 2048',
  '2048 ',
  '-1',
  '-4KB',
  '0',
  '0KB',
  '512B',
  '1e3',
  '0x800',
  'huge',
  '9'.repeat(40),
])('«%s» is none', (text) => {
  expect(parsePageSize(text)).toBeUndefined();
});
