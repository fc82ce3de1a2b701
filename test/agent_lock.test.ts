import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { lockSetting } from '../src/agent_lock.ts';
import { SettingsError } from '../src/settings/load.ts';

test('what one agent owns another cannot have, until it is released', async () => {
  const path = `/some/very/long/path/${'x'.repeat(300)}/${randomUUID()}`;
  const lock = await lockSetting('instances.path', path);
  await expect(lockSetting('instances.path', path)).rejects.toThrow(SettingsError);
  const other = await lockSetting('instances.domain_prefix', path);
  lock.release();
  const again = await lockSetting('instances.path', path);
  again.release();
  other.release();
});
