/** Who is calling: spoken before CONNECT_OPEN, so without methods. */
import { charBytes, int, list, string } from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const AUTH_TYPE_LIST_MAX = 20;
const SASL_DATA_MAX = 65_536;

/** The data of a SASL step: `nil` 1 is no data at all, which is not the same as none bytes of it. */
const saslStep = { nil: int, data: charBytes(SASL_DATA_MAX) };
const saslOutcome = { complete: int, ...saslStep };

export const authenticationProcedures = remote({
  AUTH_LIST: { number: 66, isPriority: true, result: { types: list(int, AUTH_TYPE_LIST_MAX) } },
  AUTH_SASL_INIT: { number: 67, isPriority: true, result: { mechlist: string } },
  AUTH_SASL_START: { number: 68, isPriority: true, args: { mech: string, ...saslStep }, result: saslOutcome },
  AUTH_SASL_STEP: { number: 69, isPriority: true, args: saslStep, result: saslOutcome },
  AUTH_POLKIT: { number: 70, isPriority: true, result: { complete: int } },
});
