/**
 * Loaded into an agent before its own code (`NODE_OPTIONS=--import`): kills it, as by `kill -9`, when it has come to the
 * step that DIE_AT_STEP names. The agent tells its steps to whoever listens; nothing in it knows of this file.
 */
import { subscribe } from 'node:diagnostics_channel';
import { VERB_PHASES } from '../../src/compute/phases.ts';
import { REQUEST_STEPS } from '../../src/rpc/request_desk.ts';

const dieAt = process.env['DIE_AT_STEP'] ?? '';

// create_instance:begun, delete_instance:answered, create.claim, delete.destroy, ...
for (const channel of [REQUEST_STEPS, VERB_PHASES]) {
  subscribe(channel, (step) => {
    if (step === dieAt) process.kill(process.pid, 'SIGKILL');
  });
}
