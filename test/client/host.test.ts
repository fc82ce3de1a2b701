import { expect, test } from 'vitest';
import { API_VERSION } from '../../src/api/endpoint.ts';
import { viewInstance } from '../../src/api/views.ts';
import { ApiError, HugenodeError, HugenodeHost } from '../../src/client/index.ts';
import { RemoteError, type CallOptions } from '../../src/rpc/index.ts';
import { instanceOf } from '../domain/instances.ts';

const info = { instance: instanceOf(), powerState: 'running', domainName: 'd', consoleLogPath: '/c' } as const;
const instance = viewInstance(info, 'cmp1');
const { uuid, name, project_id, user_id, flavor } = instance;
const request = { uuid, name, project_id, user_id, flavor };
const plan = { shut_off_instances: 'keep', fits: 0, at_least: false, nodes: [], refusal: null, advice: [] };

type Call = { method: string; args: Record<string, unknown>; options: CallOptions };

/** A host that answers every call alike. */
function hostOf(answer: () => unknown): { host: HugenodeHost; calls: Call[] } {
  const calls: Call[] = [];
  const call = async (method: string, args: Record<string, unknown>, options: CallOptions = {}) => {
    calls.push({ method, args, options });
    return answer();
  };
  const defaults = { timeoutMs: 1_000, createTimeoutMs: 5_000, callMonitorTimeoutS: 7, context: { user_id: 'u' } };
  return { host: new HugenodeHost('cmp1', { call }, defaults), calls };
}

const versions = async (answer: unknown, ask: (host: HugenodeHost) => Promise<unknown>): Promise<unknown[]> => {
  const { host, calls } = hostOf(() => answer);
  await ask(host);
  return calls.map(({ method, args, options }) => [method, args, options.version]);
};

test('the oldest version that has what is asked, in the fewest words', async () => {
  expect(await versions(instance, (host) => host.createInstance(request))).toEqual([
    ['create_instance', request, '1.0'],
  ]);
  expect(await versions(instance, (host) => host.createInstance({ ...request, image_properties: {} }))).toEqual([
    ['create_instance', request, '1.0'],
  ]);
  const shaped = { ...request, image_properties: { hw_cpu_policy: 'dedicated' } };
  expect(await versions(instance, (host) => host.createInstance(shaped))).toEqual([['create_instance', shaped, '1.1']]);
  const view = { host: 'cmp1', api_version: API_VERSION, instances: 0, nodes: [], promised: [] };
  expect(await versions(view, (host) => host.getHost({ holders: false }))).toEqual([['get_host', {}, '1.0']]);
  const holders = { holders: true };
  expect(await versions(view, (host) => host.getHost(holders))).toEqual([['get_host', holders, '1.1']]);
  const moments = { from: '2026-11-01T00:00:00Z', to: null };
  const iso = '2026-11-01T00:00:00.000Z';
  const usage = { host: 'cmp1', from: iso, to: iso, until: iso, since: iso, usage: [] };
  expect(await versions(usage, (host) => host.getUsage(moments))).toEqual([['get_usage', moments, '1.1']]);
  const wish = { flavor: { vcpus: 1, memory_mb: 2 }, fill: true } as const;
  expect(await versions(plan, (host) => host.planInstance(wish))).toEqual([['plan_instance', wish, '1.1']]);
});

test('a create is monitored and has patience of its own; what a call says goes first', async () => {
  const { host, calls } = hostOf(() => instance);
  await host.createInstance(request);
  await host.createInstance(request, {
    timeoutMs: 9,
    callMonitorTimeoutS: 0,
    requestId: 'req-1',
    context: { user_id: 'v', project_id: 'p' },
  });
  await host.getInstance(uuid);
  await host.getInstance(uuid, { callMonitorTimeoutS: 3, timeoutMs: 2 });
  expect(calls.map(({ options }) => [options.timeoutMs, options.callMonitorTimeoutS])).toEqual([
    [5_000, 7],
    [9, undefined],
    [1_000, undefined],
    [2, 3],
  ]);
  expect(calls[0]?.options).toMatchObject({
    server: 'cmp1',
    context: { user_id: 'u', request_id: expect.stringMatching(/^req-[\da-f-]{36}$/) },
  });
  expect(calls[1]?.options.context).toEqual({ user_id: 'v', project_id: 'p', request_id: 'req-1' });
});

test('an answer that is none of the API, and errors of the bus, are errors of the client', async () => {
  const { host } = hostOf(() => ({ uuid: 7 }));
  await expect(host.createInstance(request)).rejects.toMatchObject({
    constructor: HugenodeError,
    mayHaveBeenDone: true,
    message: expect.stringContaining('uuid'),
  });
  await expect(host.getInstance(uuid)).rejects.toMatchObject({ constructor: HugenodeError, mayHaveBeenDone: false });
  const failure = { className: 'InstanceNotFound', module: 'm', message: 'x', args: [], kwargs: { uuid } };
  const refusing = hostOf(() => {
    throw new RemoteError(failure);
  });
  await expect(refusing.host.getInstance(uuid)).rejects.toBeInstanceOf(ApiError);
});
