/**
 * Distinct host cells for all guest cells at the least total cost, exactly: the Hungarian method. Its potentials also
 * say which pairs a cheapest assignment can have at all, so that of several cheapest ones the first is taken.
 */
import { entryAt } from '../numa/list.ts';
import { firstMatching } from '../numa/matching.ts';

/** No column: what a row that is not served yet has. */
const NONE = -1;

export type CheapestMatching = {
  /** For each row its column. */
  readonly choices: readonly number[];
  readonly cost: number;
};

/**
 * Finds the first of the cheapest matchings in lexicographic order: row 0 has the first column with which the total is
 * still the least, and so on.
 * @param costs for each row the cost of each column, whole numbers; Infinity where the pair cannot be.
 * @returns undefined where the rows cannot all have columns of their own.
 */
export function cheapestMatching(costs: readonly (readonly number[])[]): CheapestMatching | undefined {
  const columns = costs[0]?.length ?? 0;
  if (costs.length === 0) return { choices: [], cost: 0 };
  if (costs.length > columns) return undefined;
  // Rows that cost nothing take the columns that are left over. Only with every column taken are the cheapest matchings
  // exactly those of tight pairs.
  const idle = Array.from({ length: columns - costs.length }, () => Array.from({ length: columns }, () => 0));
  const square = [...costs, ...idle];
  const solver = new Potentials(square);
  for (let row = 0; row < columns; row += 1) {
    if (!solver.serve(row)) return undefined;
  }
  const matched = firstMatching(square.map((_, row) => solver.tightColumns(row)));
  if (!matched.possible) throw new RangeError('the tight pairs of a solved matching have no matching');
  const choices = matched.choices.slice(0, costs.length);
  const cost = choices.reduce((sum, column, row) => sum + entryAt(entryAt(costs, row), column), 0);
  return { choices, cost };
}

/** A matching that grows by one row at a time and is the cheapest of its rows after each. */
class Potentials {
  readonly #costs: readonly (readonly number[])[];
  readonly #ofRow: number[];
  readonly #ofColumn: number[];
  /** The row that has each column. */
  readonly #holder: number[];

  constructor(square: readonly (readonly number[])[]) {
    this.#costs = square;
    this.#ofRow = square.map(() => 0);
    this.#ofColumn = square.map(() => 0);
    this.#holder = square.map(() => NONE);
  }

  /** Columns that the row may have in a cheapest matching, ascending. */
  tightColumns(row: number): readonly number[] {
    return [...this.#costs.keys()].filter((column) => this.#slack(row, column) === 0);
  }

  /** Serves one more row, moving others along the cheapest path. False where there is no such path. */
  serve(row: number): boolean {
    const reached = this.#costs.map(() => false);
    const distance = this.#costs.map(() => Infinity);
    /** The column before each one on the path; NONE where it begins at the row itself. */
    const before = this.#costs.map(() => NONE);
    let at = NONE;
    let current = row;
    while (current !== NONE) {
      let next = NONE;
      for (const column of this.#costs.keys()) {
        if (reached[column] === true) continue;
        const slack = this.#slack(current, column);
        if (slack < entryAt(distance, column)) {
          distance[column] = slack;
          before[column] = at;
        }
        if (entryAt(distance, column) < (distance[next] ?? Infinity)) next = column;
      }
      if (next === NONE) return false;
      this.#shift(row, reached, distance, entryAt(distance, next));
      reached[next] = true;
      at = next;
      current = entryAt(this.#holder, next);
    }
    this.#moveAlong(before, at, row);
    return true;
  }

  /** What the pair costs beyond its potentials: never negative, and 0 for each pair of the matching. */
  #slack(row: number, column: number): number {
    return entryAt(entryAt(this.#costs, row), column) - entryAt(this.#ofRow, row) - entryAt(this.#ofColumn, column);
  }

  /** Raises the rows of the tree and lowers its columns until one more column is tight. */
  #shift(root: number, reached: readonly boolean[], distance: number[], by: number): void {
    this.#ofRow[root] = entryAt(this.#ofRow, root) + by;
    for (const column of this.#costs.keys()) {
      if (reached[column] === true) {
        const holder = entryAt(this.#holder, column);
        this.#ofRow[holder] = entryAt(this.#ofRow, holder) + by;
        this.#ofColumn[column] = entryAt(this.#ofColumn, column) - by;
      } else {
        distance[column] = entryAt(distance, column) - by;
      }
    }
  }

  #moveAlong(before: readonly number[], last: number, root: number): void {
    let column = last;
    while (column !== NONE) {
      const previous = entryAt(before, column);
      this.#holder[column] = previous === NONE ? root : entryAt(this.#holder, previous);
      column = previous;
    }
  }
}
