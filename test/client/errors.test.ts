import { describe, expect, test } from 'vitest';
import { callError, setUpError } from '../../src/client/errors.ts';
import {
  AnswerTimeoutError,
  ApiError,
  BrokerAwayError,
  HugenodeError,
  NoSuchHostError,
} from '../../src/client/index.ts';
import { ERROR_CLASSES } from '../../src/errors.ts';
import {
  BrokerUnavailableError,
  MessagingTimeout,
  RemoteError,
  RpcError,
  UnroutableError,
} from '../../src/rpc/index.ts';

const change = { method: 'delete_instance', host: 'cmp1', changes: true };
const question = { method: 'list_instances', host: 'cmp1', changes: false };
const remote = (className: string) =>
  new RemoteError({ className, module: 'm', message: 'why not', args: [], kwargs: { node: 1 } });

test.each(Object.keys(ERROR_CLASSES))('%s is caught with its class, message and details', (className) => {
  const error = callError(remote(className), change);
  if (!(error instanceof ApiError)) throw error;
  expect(error).toMatchObject({ className, message: 'why not', details: { node: 1 }, name: 'ApiError' });
  expect(error.is('InternalError')).toBe(false);
});

test('an error is of the classes that are named', () => {
  const error = new ApiError({ className: 'InstanceConflict', message: 'x', details: {} }, { mayHaveBeenDone: false });
  expect(error.is('InstanceConflict')).toBe(true);
  expect(error.is('InstanceNotFound', 'InstanceConflict')).toBe(true);
  expect(error.is('InstanceNotFound', 'InvalidRequest')).toBe(false);
});

describe('whether it may have been done', () => {
  test.each([
    ['a refusal', remote('ComputeResourcesUnavailable'), ApiError, false],
    ['a failure after which nothing is left', remote('InstanceSpawnFailed'), ApiError, false],
    ['a failure that says nothing', remote('InternalError'), ApiError, true],
    ['libvirt away', remote('HypervisorUnavailable'), ApiError, true],
    ['a class of a later release', remote('SomethingNew'), ApiError, false],
    ['no such host', new UnroutableError('e', 'k'), NoSuchHostError, false],
    ['no answer', new MessagingTimeout('id', 'none'), AnswerTimeoutError, true],
    ['no broker', new BrokerUnavailableError('lost'), BrokerAwayError, true],
    ['nothing that could be sent', new RpcError('not-encodable', 'a cycle'), HugenodeError, false],
  ])('%s', (_what, error, kind, mayHaveBeenDone) => {
    expect(callError(error, change)).toMatchObject({ constructor: kind, mayHaveBeenDone, cause: error });
    // A question does nothing, whatever becomes of it.
    expect(callError(error, question)).toMatchObject({ constructor: kind, mayHaveBeenDone: false });
  });
});

test('what may have been done says that asking again is safe, and of whom it was asked', () => {
  const again = 'delete_instance on cmp1: lost; it may have been done; asking again with the same uuid is safe';
  expect(callError(new BrokerUnavailableError('lost'), change)).toMatchObject({ message: again });
  expect(callError(new BrokerUnavailableError('lost'), question)).toMatchObject({
    message: 'list_instances on cmp1: lost',
  });
});

test('the reason of a signal stays itself', () => {
  const reason = new DOMException('over', 'TimeoutError');
  expect(callError(reason, change)).toBe(reason);
  expect(setUpError(reason)).toBe(reason);
});

test('connecting: a broker that is away, and settings that are wrong', () => {
  expect(setUpError(new BrokerUnavailableError('x'))).toMatchObject({ constructor: BrokerAwayError });
  expect(setUpError(new RpcError('topology', 'x'))).toMatchObject({ constructor: HugenodeError });
});
