// One message as it was delivered, to be settled once.

/** AMQP's basic properties, by amqplib's names. */
export type DeliveryProperties = Readonly<Record<string, unknown>>;

/** What of amqplib's messages is read. */
export interface DeliveredMessage {
  content: Buffer;
  properties: object;
  fields: { exchange: string; routingKey: string; redelivered: boolean };
}

/** How the broker is told. May throw: a channel that is gone took its deliveries along, and they come again. */
export interface Settlement {
  acknowledge: () => void;
  handBack: () => void;
}

export class Delivery {
  readonly body: Buffer;
  readonly properties: DeliveryProperties;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  /** How long its sender waits from now on at most: the time it gave the broker. Infinity for those that do not say. */
  readonly patienceMs: number;
  #settlement: Settlement | null;

  constructor({ content, properties, fields }: DeliveredMessage, settlement: Settlement | null) {
    this.body = content;
    this.properties = { ...properties };
    this.exchange = fields.exchange;
    this.routingKey = fields.routingKey;
    this.redelivered = fields.redelivered;
    const expiration = Number(this.properties['expiration'] ?? Number.NaN);
    this.patienceMs = Number.isFinite(expiration) && expiration >= 0 ? expiration : Infinity;
    this.#settlement = settlement;
  }

  /** One that an earlier process has acknowledged: nothing of it is the broker's any more, and it was begun in time. */
  static accepted(body: Buffer, properties: DeliveryProperties): Delivery {
    const { expiration: _begunInTime, ...others } = properties;
    const fields = { exchange: '', routingKey: '', redelivered: true };
    return new Delivery({ content: body, properties: others, fields }, null);
  }

  /** The broker forgets it. */
  acknowledge(): void {
    this.#settle((settlement) => settlement.acknowledge());
  }

  /** The broker delivers it again, here or to another server. */
  handBack(): void {
    this.#settle((settlement) => settlement.handBack());
  }

  #settle(how: (settlement: Settlement) => void): void {
    const settlement = this.#settlement;
    this.#settlement = null;
    if (settlement === null) return;
    try {
      how(settlement);
    } catch {
      // It is delivered again, as a duplicate.
    }
  }
}
