import { expect, test } from 'vitest';
import { UndoStack } from '../src/undo.ts';

test('newest first, and one that fails does not keep the others from running', async () => {
  const done: string[] = [];
  const undo = new UndoStack();
  undo.push('one', () => void done.push('one'));
  undo.push('two', async () => {
    throw new Error('stuck');
  });
  undo.push('three', async () => void done.push('three'));
  expect((await undo.unwind()).map(({ step, error }) => [step, String(error)])).toEqual([['two', 'Error: stuck']]);
  expect(done).toEqual(['three', 'one']);
  expect(await undo.unwind()).toEqual([]);
});

test('what is forgotten stays', async () => {
  const undo = new UndoStack();
  undo.push('one', () => {
    throw new Error('must not run');
  });
  undo.forget();
  expect(await undo.unwind()).toEqual([]);
});
