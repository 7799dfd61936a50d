/** @file Asking base and tuned weights the same thing, streaming, also between the steps of a run. */
import type { Lab, WeightSet } from '../engine.ts';
import type { Lock } from './lock.ts';
import type { SamplingOptions, StreamEvent } from './protocol.ts';

/** Likeliest tokens that are shown for a place in an answer. */
const ALTERNATIVES = 5;

export class Playground {
  #stopped = false;

  constructor(
    private readonly lab: Lab,
    private readonly lock: Lock,
  ) {}

  /** Streams the answer of each set of weights; ends when all are done. */
  async ask(prompt: string, columns: readonly WeightSet[], options: SamplingOptions, stream: (event: StreamEvent) => void): Promise<void> {
    this.#stopped = false;
    const ids = this.lab.encodePrompt(prompt);
    const room = this.lab.model.config.maxPositionEmbeddings - ids.length;
    if (room <= 0) throw new Error(`The prompt has ${ids.length} tokens; this model reads at most ${this.lab.model.config.maxPositionEmbeddings}.`);
    await Promise.all(columns.map((weights, column) => this.#answer(ids, weights, column, { ...options, maxNewTokens: Math.min(options.maxNewTokens, room) }, stream)));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The likeliest next tokens after a prompt and a part of its answer. */
  async alternatives(weights: WeightSet, prompt: string, answer: readonly number[]): Promise<{ text: string; probability: number }[]> {
    const ids = [...this.lab.encodePrompt(prompt), ...answer];
    const likeliest = await this.lab.nextTokens(ids, ALTERNATIVES, weights, { turn: (work) => this.lock.run(work) });
    return likeliest.map(({ id, probability }) => ({ text: this.lab.tokenizer.tokenText(id), probability }));
  }

  async #answer(prompt: readonly number[], weights: WeightSet, column: number, options: SamplingOptions, stream: (event: StreamEvent) => void): Promise<void> {
    const { lab, lock } = this;
    const generator = await lock.run(() => lab.generator(weights, { sequences: 1, length: prompt.length + options.maxNewTokens }));
    try {
      generator.begin([{ prompt }], options);
      for (;;) {
        if (this.#stopped) {
          stream({ type: 'done', column, reason: 'stopped' });
          return;
        }
        const { tokens, finished } = await lock.run(() => generator.slice());
        stream({ type: 'progress', column, progress: generator.progress });
        for (const { id, probability } of tokens[0]!) if (!lab.stopTokenIds.includes(id)) stream({ type: 'token', column, id, text: lab.tokenizer.tokenText(id), probability });
        if (finished) {
          const ended = lab.stopTokenIds.includes(tokens[0]!.at(-1)?.id ?? -1);
          stream({ type: 'done', column, reason: ended ? 'end' : 'limit' });
          return;
        }
      }
    } finally {
      generator.destroy();
    }
  }
}
