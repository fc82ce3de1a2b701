/** Gauges that are filled anew at each scrape: what is not there any more has no value, rather than its last one. */
import { Gauge, type Registry } from 'prom-client';

type Labels<L extends string> = Readonly<Record<L, string | number>>;

/** Several gauges with the same labels, set together. */
export class GaugeGroup<N extends string, L extends string> {
  readonly #gauges: ReadonlyMap<string, Gauge<L>>;
  readonly #isPlain: boolean;

  /** @param help what each gauge of that name means, its unit included. */
  constructor(registry: Registry, labelNames: readonly L[], help: Readonly<Record<N, string>>) {
    const texts = Object.entries<string>(help);
    this.#gauges = new Map(
      texts.map(([name, text]) => [name, new Gauge({ name, help: text, labelNames, registers: [registry] })]),
    );
    this.#isPlain = labelNames.length === 0;
    this.clear();
  }

  /** Forgets every value. */
  clear(): void {
    for (const gauge of this.#gauges.values()) {
      gauge.reset();
      // One without labels is 0 after a reset; unknown is to be nothing at all.
      if (this.#isPlain) gauge.remove();
    }
  }

  /** Sets those that are known; an undefined value has no series. */
  set(labels: Labels<L>, values: Readonly<Partial<Record<N, number | undefined>>>): void {
    for (const [name, value] of Object.entries<number | undefined>(values)) {
      if (value !== undefined) this.#gauges.get(name)?.set(labels, value);
    }
  }
}
