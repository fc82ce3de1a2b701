/** The API as its documents list it: methods with the schemas that requests really pass through, and every failure. */
import { z } from 'zod';
import { planView } from '../api/plan_views.ts';
import { createInstanceArgs, hostArgs, instanceArgs, noArgs, planInstanceArgs, usageArgs } from '../api/schemas.ts';
import { usageView } from '../api/usage_view.ts';
import { hostView, instanceView } from '../api/views.ts';
import { ERROR_CLASSES } from '../errors.ts';

export type Method = {
  readonly name: string;
  readonly about: string;
  readonly args: z.ZodType;
  readonly result: z.ZodType;
};

export const METHODS = [
  {
    name: 'create_instance',
    about:
      'Builds an instance; answers when the guest runs on verified pages. The same request again gives the same answer.',
    args: createInstanceArgs,
    result: instanceView,
  },
  {
    name: 'delete_instance',
    about: 'Ends an instance; answers when its pages are back.',
    args: instanceArgs,
    result: z.null(),
  },
  { name: 'get_instance', about: 'One instance.', args: instanceArgs, result: instanceView },
  { name: 'list_instances', about: 'All instances of the host.', args: noArgs, result: z.array(instanceView) },
  {
    name: 'get_host',
    about:
      'The nodes of the host and their page pools, in pages. With `holders` (since 1.1) also who holds them, which costs a ' +
      'walk over all processes of the host: each page is counted with one process only, `also_mapped` are those counted ' +
      'with another one; `unexplained` are taken, and found with no process (files on a hugetlbfs that nobody maps, ' +
      'processes that cannot be seen or read); `promised` is host-wide. `available` is false where the kernel of the host ' +
      'cannot be asked; `unreadable` lists processes that hold pages and may not be looked into. ' +
      '`rules` and `capacity` (since 1.1) are what `hugenode plan --inventory` works on, as decisions count it: memory in ' +
      'KiB, `used` with what is promised, claimed and kept.',
    args: hostArgs,
    result: hostView,
  },
  {
    name: 'plan_instance',
    about:
      'Since 1.1. How many such instances the host would admit now, where each would be, and why not one more; claims and ' +
      'starts nothing, so by the time of a create_instance the host may be another. With `fill` as many as fit are counted ' +
      '(`count` does not matter then; `at_least` says that counting ended at a bound) and `nodes` is what they would have ' +
      'together; without it `instances` has each one. `refusal` is null where all fit, else it is of the next one: every ' +
      'guest cell on every node, and `advice` is what would make room for that one alone. `shut_off_instances` says whether ' +
      'the pages of instances that are shut off were counted as taken.',
    args: planInstanceArgs,
    result: planView,
  },
  {
    name: 'get_usage',
    about:
      'Since 1.1. Page-hours per project, page size and node in a span of time: pages that running guests held and pages ' +
      'that were kept for guests that were shut off. `until` is how far the record goes (an agent that was away bills ' +
      'what ran through its absence, and of the rest no more than up to its last look), `since` from when on it is whole ' +
      '(`usage.keep_days`, `usage.rows`).',
    args: usageArgs,
    result: usageView,
  },
] as const satisfies readonly Method[];

/** Exception classes of ours with their meaning. */
export const FAILURES: Readonly<Record<string, string>> = {
  ...ERROR_CLASSES,
  InternalError: 'a bug of ours; the log of the host has the details under the request id',
};
