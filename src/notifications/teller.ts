/**
 * Takes what the core tells: each event becomes its notifications, in the formats that are set, and they are in the spool
 * when this returns. Intents are notes beside them: the note goes in the same stroke as its event comes.
 */
import type { EndEvent, InstanceEvent, Intents, RequestContext } from '../compute/events.ts';
import type { Logger } from '../log.ts';
import type { NoteChanges } from '../spool/spool.ts';
import type { SpoolMessage } from '../spool/spool_file.ts';
import { periodAt, type AuditUnit } from './audit_periods.ts';
import { lifecycleNotification } from './lifecycle.ts';
import { versionedPayload } from './versioned.ts';

export type LifecycleMessage = {
  readonly format: 'unversioned' | 'versioned';
  readonly publisherId: string;
  readonly eventType: string;
  readonly priority: 'info' | 'error';
  readonly payload: Record<string, unknown>;
  readonly context: RequestContext['attributes'];
};

export type TellerOptions = {
  readonly host: string;
  /** A domain's name is this and the uuid. */
  readonly domainPrefix: string;
  /** Nothing is told where there are none. */
  readonly formats: readonly LifecycleMessage['format'][];
  /** Of the period that an update names. */
  readonly auditUnit: AuditUnit;
  /** Gives it its ids. @throws where it cannot be written. */
  readonly prepare: (message: LifecycleMessage) => Omit<SpoolMessage, 'lane' | 'about'>;
  /** The context without what must not be kept. */
  readonly safeContext: (attributes: RequestContext['attributes']) => RequestContext['attributes'];
  readonly spool: {
    post(messages: readonly SpoolMessage[], notes?: NoteChanges): void;
    note(name: string): string | undefined;
    notesUnder(prefix: string): [name: string, value: string][];
  };
  readonly log: Logger;
};

/** The order of each format is kept by itself: a broker that refuses one does not hold up the other. */
const LANES = { unversioned: 'notifications', versioned: 'versioned notifications' } as const;
const INTENT = 'intent:';
const AUDIT = 'audit';

export class Teller implements Intents {
  readonly #options: TellerOptions;

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  /** Takes an event; never throws, never waits. */
  tell(event: InstanceEvent): void {
    const isEnd = event.kind === 'create.end' || event.kind === 'delete.end';
    this.#options.spool.post(
      this.#messages(event),
      isEnd ? { [noteOf(event.kind, event.instance.uuid)]: undefined } : {},
    );
  }

  /** Takes the events of an audit and notes until when it went. */
  tellAudit(events: readonly InstanceEvent[], until: string): void {
    this.#options.spool.post(
      events.flatMap((event) => this.#messages(event)),
      { [AUDIT]: until },
    );
  }

  get auditedUntil(): string | undefined {
    return this.#options.spool.note(AUDIT);
  }

  intend(event: EndEvent): void {
    const { context } = event;
    const kept = { ...event, context: { ...context, attributes: this.#options.safeContext(context.attributes) } };
    this.#options.spool.post([], { [noteOf(event.kind, event.instance.uuid)]: JSON.stringify(kept) });
  }

  of(kind: EndEvent['kind'], uuid: string): EndEvent | undefined {
    const text = this.#options.spool.note(noteOf(kind, uuid));
    return text === undefined ? undefined : JSON.parse(text);
  }

  drop(kind: EndEvent['kind'], uuid: string): void {
    this.#options.spool.post([], { [noteOf(kind, uuid)]: undefined });
  }

  all(): EndEvent[] {
    return this.#options.spool.notesUnder(INTENT).map(([, text]): EndEvent => JSON.parse(text));
  }

  #messages(event: InstanceEvent): SpoolMessage[] {
    const { formats, prepare, log } = this.#options;
    const about = { instance: event.instance.uuid, event: event.kind };
    return formats.flatMap((format) => {
      try {
        return [{ ...prepare(this.#worded(event, format)), lane: LANES[format], about }];
      } catch (error) {
        log.error('a notification is lost: it cannot be written', { ...about, error: String(error) });
        return [];
      }
    });
  }

  #worded(event: InstanceEvent, format: LifecycleMessage['format']): LifecycleMessage {
    const { host, domainPrefix, auditUnit } = this.#options;
    const context = event.context.attributes;
    const auditBeginning = periodAt(Date.now(), auditUnit).beginning;
    const unversioned = lifecycleNotification(event, host, auditBeginning);
    if (format === 'unversioned') return { format, publisherId: `compute.${host}`, context, ...unversioned };
    return {
      format,
      publisherId: `nova-compute:${host}`,
      context,
      eventType: `instance.${event.kind}`,
      priority: unversioned.priority,
      payload: versionedPayload(event, { host, domainName: domainPrefix + event.instance.uuid, auditBeginning }),
    };
  }
}

function noteOf(kind: EndEvent['kind'], uuid: string): string {
  return `${INTENT}${kind}:${uuid}`;
}
