import { expect, test } from 'vitest';
import { EXIT, RefusedError, exitCodeOf } from '../../src/cli/exit_codes.ts';
import { AnswerTimeoutError, ApiError, BrokerAwayError, NoSuchHostError } from '../../src/client/index.ts';
import { ERROR_CLASSES } from '../../src/errors.ts';
import { BrokerUnavailableError, RpcError } from '../../src/rpc/index.ts';
import { SettingsError } from '../../src/settings/load.ts';

const unknown = { mayHaveBeenDone: true };
const remote = (className: string) => new ApiError({ className, message: 'x', details: {} }, unknown);

test.each([
  [remote('ComputeResourcesUnavailable'), EXIT.refused],
  [remote('InstanceNotFound'), EXIT.notFound],
  [remote('InstanceConflict'), EXIT.conflict],
  [remote('HypervisorUnavailable'), EXIT.unreachable],
  [remote('InvalidRequest'), EXIT.usage],
  [remote('InternalError'), EXIT.internal],
  [new SettingsError('x'), EXIT.usage],
  [new BrokerAwayError('x', unknown), EXIT.unreachable],
  [new AnswerTimeoutError('x', unknown), EXIT.unreachable],
  [new NoSuchHostError('h', 'x', undefined), EXIT.unreachable],
  [new RefusedError('x'), EXIT.refused],
  [new RpcError('topology', 'x'), EXIT.usage],
  [new BrokerUnavailableError('x'), EXIT.unreachable],
  [new TypeError('x'), EXIT.internal],
])('%s', (error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

test('every class of the API has a code, and none is «done»', () => {
  for (const className of Object.keys(ERROR_CLASSES)) expect(exitCodeOf(remote(className))).toBeGreaterThan(0);
});
