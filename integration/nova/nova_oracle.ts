/** Debian's python3-nova, asked what it makes of requests, hosts and placements, in the words of the vector files. */
import { join } from 'node:path';
import type {
  ConstraintVector,
  FitVector,
  VectorAnswer,
  VectorCellUsage,
  VectorHostCell,
  VectorRequest,
} from '../../test/numa/vector_files.ts';
import { JsonLinesOracle } from '../oracle/json_lines.ts';

export type ConstraintAnswer = Pick<ConstraintVector, 'err' | 'out'>;

export type FitQuestion = VectorRequest & Pick<FitVector, 'host' | 'limits' | 'pack'>;

/** A page size in KiB, 0 where none was asked for, null where the pair is refused, `!X` where Nova raises X. */
export type PairAnswer = number | null | string;

export type Placed = Exclude<VectorAnswer, { err: string } | null>;

export type FitAnswer = {
  /** What Nova answers. */
  nova: VectorAnswer;
  /** The host cells in Nova's order of trying, null where it gives up before. */
  ord: number[] | null;
  m: PairAnswer[][];
  /** What its rules answer where the search changes nothing in the request. */
  pure: Placed | null;
  /** The same with the threads of a core in the order of Python's sets, where that is another answer. */
  native?: Placed;
};

export type UsageQuestion = VectorRequest & { host: VectorHostCell[]; placement: Placed; free: boolean };
export type UsageAnswer = { after: VectorCellUsage[] } | { err: string };

export class NovaOracle {
  readonly #lines = new JsonLinesOracle(join(import.meta.dirname, 'nova_answers.py'));

  async version(): Promise<string> {
    const { version }: { version: string } = JSON.parse(await this.#lines.ask('{"version": null}'));
    return version;
  }

  /** What Nova makes of a flavor and an image. */
  async constraints(constraints: VectorRequest): Promise<ConstraintAnswer> {
    const answer: ConstraintAnswer = JSON.parse(await this.#lines.ask(JSON.stringify({ constraints })));
    return answer;
  }

  /** Where Nova puts such a guest; the guest must have a topology. */
  async fit(fit: FitQuestion): Promise<FitAnswer> {
    const answer: FitAnswer | { err: string | null } = JSON.parse(await this.#lines.ask(JSON.stringify({ fit })));
    if ('err' in answer) throw new Error(`Nova makes no topology of the request: ${answer.err ?? 'none is asked for'}`);
    return answer;
  }

  /** The host's account with the placed guest added or taken away. */
  async usage(usage: UsageQuestion): Promise<UsageAnswer> {
    const answer: UsageAnswer = JSON.parse(await this.#lines.ask(JSON.stringify({ usage })));
    return answer;
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }
}
