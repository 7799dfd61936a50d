/** @file How far a generator has come. */

/** Tokens of prompts and answers together. */
export interface DecodeProgress {
  readonly done: number;
  /** As if every answer still under way took all the tokens it may: an answer that ends by itself makes it fewer. */
  readonly total: number;
  /** So far; 0 before the first. */
  readonly tokensPerSecond: number;
  /** At the speeds so far, at most; undefined before there are any. */
  readonly secondsLeft: number | undefined;
}

/** Tokens of one kind, prompts or answers, and the seconds they took. */
class Count {
  done = 0;
  seconds = 0;

  constructor(public total: number) {}

  add(tokens: number, seconds: number): void {
    this.done += tokens;
    this.seconds += seconds;
  }

  get secondsEach(): number | undefined {
    return this.done > 0 ? this.seconds / this.done : undefined;
  }
}

/** Counts prompts and answers apart, since a token of a prompt takes a fraction of one of an answer. */
export class ProgressMeter {
  readonly prompts: Count;
  readonly answers: Count;

  constructor(promptTokens: number, answerTokens: number) {
    this.prompts = new Count(promptTokens);
    this.answers = new Count(answerTokens);
  }

  get progress(): DecodeProgress {
    const kinds = [this.prompts, this.answers];
    const done = this.prompts.done + this.answers.done;
    const seconds = this.prompts.seconds + this.answers.seconds;
    // Until there is an answer, its tokens are taken to be no slower than the prompts'.
    const left = kinds.map((kind, i) => (kind.total - kind.done) * (kind.secondsEach ?? kinds[1 - i]!.secondsEach ?? Number.NaN));
    const secondsLeft = left[0]! + left[1]!;
    return { done, total: this.prompts.total + this.answers.total, tokensPerSecond: seconds > 0 ? done / seconds : 0, secondsLeft: Number.isNaN(secondsLeft) ? undefined : secondsLeft };
  }
}
