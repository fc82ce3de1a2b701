/** How often what was seen, for the end of a lane. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  print(title: string, words: Readonly<Record<string, string>> = {}): void {
    const rows = [...this.#counts].toSorted(([, a], [, b]) => b - a);
    const lines = rows.map(
      ([what, count]) => `  ${String(count).padStart(8)} ${what}${words[what] ? `: ${words[what]}` : ''}`,
    );
    console.log([title, ...lines].join('\n'));
  }
}
