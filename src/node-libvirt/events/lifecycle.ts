/** The lifecycle event: its second number means something else for each first. */
import { LifecycleEvent, LifecycleEventDetail } from '../constants/index.ts';
import { nameOf } from '../constants/names.ts';
import type { Choice } from '../wire/choice.ts';
import { domain, type Domain } from '../wire/objects.ts';
import { int, struct, type Type } from '../wire/xdr.ts';

export type LifecycleEventName = Choice<typeof LifecycleEvent>;

export type DomainLifecycleEvent = {
  readonly domain: Domain;
  /** E.g. «STARTED»; names of LifecycleEvent. */
  readonly event: LifecycleEventName;
  /** E.g. «BOOTED»; names of LifecycleEventDetail[event]. */
  readonly detail: string;
  readonly eventNumber: number;
  readonly detailNumber: number;
};

const wire = struct({ domain, eventNumber: int, detailNumber: int });

export const lifecycle: Type<DomainLifecycleEvent> = {
  minSize: wire.minSize,
  ts: 'DomainLifecycleEvent',
  encode: (writer, event) => wire.encode(writer, event),
  decode: (reader) => {
    const { domain: its, eventNumber, detailNumber } = wire.decode(reader);
    const event = nameOf(LifecycleEvent, eventNumber);
    const details: Readonly<Record<string, Readonly<Record<string, number>>>> = LifecycleEventDetail;
    return { domain: its, event, detail: nameOf(details[event] ?? {}, detailNumber), eventNumber, detailNumber };
  },
};
