/** @file The model card: metadata that the Hub reads, numbers with where they were measured, and the commands of each kind. */
import { describe, expect, it } from 'vitest';
import type { CardFacts } from './modelCard.ts';
import { modelCard } from './modelCard.ts';

const FACTS: CardFacts = {
  options: { kind: 'model', dtype: 'F32', rank: 8 },
  base: { name: 'org/base', revision: 'c0ffee' },
  config: {
    method: 'rpsft',
    recompute: false,
    lambda: 10,
    rankFraction: 0.5,
    tau: 1,
    throughScale: false,
    beta: 0.1,
    learningRate: 5e-4,
    schedule: 'constant',
    warmupSteps: 0,
    steps: 300,
    batchSize: 16,
    accumulation: 1,
    maxLength: 64,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    clipNorm: 1,
    seed: 7,
    evaluateEvery: 50,
    driftEvery: 50,
    evaluationItems: 100,
  },
  startedAt: '2026-11-23T12:00:00.000Z',
  completedSteps: 120,
  evaluations: [
    {
      step: 0,
      heldOutLoss: 2.5,
      outOfDomainLoss: Number.NaN,
      inDomain: { correct: 0, items: 200, low: 0, high: 0.02 },
      outOfDomain: { correct: 0, items: 0, low: 0, high: 1 },
      groups: [],
    },
  ],
  datasetName: 'sums "hard".jsonl',
  dataHashes: { 'sums.jsonl': 'ab12' },
  adapter: 'a test adapter',
  chat: false,
};
const ADAPTER: Partial<CardFacts> = { options: { kind: 'peft', dtype: 'F32', rank: 8 }, lora: { r: 8, alpha: 16, rsLora: true, modules: 14 } };

/** The lines between the two ---. */
const metadataOf = (card: string): string[] => card.split('---\n')[1]!.trimEnd().split('\n');

describe('model card', () => {
  it('begins with metadata, every text of which is quoted', () => {
    expect(metadataOf(modelCard(FACTS))).toEqual([
      'library_name: transformers', 'pipeline_tag: text-generation', 'base_model: "org/base"', 'base_model_relation: finetune',
      'datasets:', '  - "sums \\"hard\\".jsonl"', 'tags:', '  - rpsft', '  - gimbal',
    ]);
    expect(metadataOf(modelCard({ ...FACTS, ...ADAPTER }))).toEqual(expect.arrayContaining(['library_name: peft', 'base_model_relation: adapter', '  - lora']));
    // The Hub takes names of repositories there, and no others.
    expect(modelCard({ ...FACTS, base: { name: 'Built-in model' } })).not.toContain('base_model:');
  });

  it('names the method with its paper, and the penalty beside it', () => {
    const title = (change: Partial<CardFacts['config']>): string => /^# .*$/m.exec(modelCard({ ...FACTS, config: { ...FACTS.config, ...change } }))![0];
    expect(title({})).toBe('# org/base, fine-tuned with RPSFT (arXiv 2605.10973)');
    expect(title({ method: 'random-basis' })).toBe('# org/base, fine-tuned with Random basis');
    expect(title({ method: 'dft', penalty: 'rpsft' })).toBe('# org/base, fine-tuned with DFT (arXiv 2508.05629) + RPSFT (arXiv 2605.10973)');
    const reinforce = { prompts: 8, samples: 8, maxNewTokens: 36, sequences: 64, updates: 1, clipLow: 0.2, clipHigh: 0.28 };
    expect(title({ reinforce, startFrom: 'run' })).toBe('# org/base, trained with GRPO (arXiv 2402.03300) from RPSFT (arXiv 2605.10973)');
    expect(title({ reinforce })).toBe('# org/base, trained with GRPO (arXiv 2402.03300)');
    expect(metadataOf(modelCard({ ...FACTS, config: { ...FACTS.config, reinforce } }))).toEqual(expect.arrayContaining(['  - grpo']));
    expect(metadataOf(modelCard({ ...FACTS, config: { ...FACTS.config, method: 'dft', penalty: 'rpsft' } }))).toEqual(expect.arrayContaining(['  - dft', '  - rpsft']));
  });

  it('states configuration, seed, hashes, revision, and what was measured on which adapter', () => {
    const card = modelCard(FACTS);
    for (const fact of ['| revision | c0ffee |', '| seed | 7', '120 of 300 optimizer steps', 'sums.jsonl: `ab12`', 'Measured on a test adapter in float32', JSON.stringify(FACTS.config, null, 2)]) expect(card).toContain(fact);
    expect(card).toContain('| base | 2.500 | 0.0% (0 of 200, 95% interval 0.0–2.0) | not measured | not measured |');
    const start = { ...FACTS.evaluations[0]!, heldOutLoss: 1.25 };
    expect(modelCard({ ...FACTS, start }), 'after the base model').toMatch(/\| base \| 2\.500 .*\n\| the run it starts from \| 1\.250 /);
    expect(modelCard({ ...FACTS, options: { ...FACTS.options, dtype: 'BF16' } })).toContain('in float32 before the weights were rounded to bfloat16');
  });

  it('gives the commands of each kind, and of ONNX only how it would be made', () => {
    const card = modelCard(FACTS);
    for (const command of ['AutoModelForCausalLM.from_pretrained("this-folder")', 'convert_hf_to_gguf.py this-folder', 'mlx_lm.generate --model this-folder', 'optimum-cli export onnx --model this-folder', 'was not tried']) expect(card).toContain(command);
    const peft = modelCard({ ...FACTS, ...ADAPTER });
    for (const command of ['from_pretrained("org/base", revision="c0ffee")', 'PeftModel.from_pretrained(base, "this-folder")', 'convert_lora_to_gguf.py this-folder --base base-folder', 'scale alpha / √r']) expect(peft).toContain(command);
    expect(modelCard({ ...FACTS, ...ADAPTER, options: { kind: 'mlx', dtype: 'F32', rank: 8 } })).toContain('mlx_lm.generate --model org/base --adapter-path this-folder');
    expect(modelCard({ ...FACTS, chat: true })).toContain('apply_chat_template');
  });

  it('says of an extracted adapter what it leaves out', () => {
    const card = modelCard({ ...FACTS, ...ADAPTER, retainedEnergy: 0.914 });
    expect(card).toContain('holds 91.4% of the change of those layers');
    expect(card).toContain('with the full weights, of which this adapter is an approximation');
  });
});
