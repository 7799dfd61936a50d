/** @file What a run can be exported as, and the commands that open it. */
import { describe, expect, it } from 'vitest';
import type { ModelSummary } from '../../worker/protocol.ts';
import { madeUpRun } from '../charts/testing.ts';
import { commands, exportKinds } from './kinds.ts';

const model: ModelSummary = {
  source: 'hub', name: 'owner/name', parameters: 1_000_000, architecture: 'Llama', layers: 2, hiddenSize: 64, heads: 4, keyValueHeads: 4, vocabulary: 100, contextLength: 128, bytes: 2_000_000,
  precision: 'f32', storedAs: 'BF16', template: 'own', linears: [{ name: 'q_proj', count: 2, weights: 2 * 64 * 64, byDefault: true }], warnings: [],
};
const lora = { rank: 4, alpha: 8, targets: ['q_proj'], rsLora: false };
const options = { dtype: 'F32', rank: 16 } as const;

describe('the kinds of export', () => {
  it('of a full run extract adapters of the chosen rank', () => {
    const [folder, peft, mlx] = exportKinds(madeUpRun(), [], model, options);
    expect(folder).toMatchObject({ kind: 'model', possible: true, bytes: 4_000_000 });
    expect(peft).toMatchObject({ possible: true, extracted: true, bytes: 4 * 2 * 16 * 128 });
    expect(peft?.detail).toContain('truncated SVD, rank 16');
    expect(mlx).toMatchObject({ kind: 'mlx', possible: true, extracted: true });
  });

  it('of a LoRA run have its own rank', () => {
    const [folder, peft] = exportKinds(madeUpRun({ lora }), [], model, options);
    expect(folder?.detail).toContain('the adapter merged into them');
    expect(peft).toMatchObject({ possible: true, extracted: false, bytes: 4 * 2 * 4 * 128 });
  });

  it('halve with half precision', () => expect(exportKinds(madeUpRun(), [], model, { dtype: 'BF16', rank: 16 })[0]?.bytes).toBe(2_000_000));

  it('say why an adapter is not possible', () => {
    const parent = madeUpRun();
    const [folder, peft] = exportKinds(madeUpRun({ lora, startFrom: parent.id, seed: 2 }), [parent], model, options);
    expect(folder?.possible).toBe(true);
    expect(peft).toMatchObject({ possible: false, detail: 'This run started from another run, which changed all weights: an adapter alone would miss that. Take the folder.' });
    expect(exportKinds(madeUpRun(), [], { ...model, linears: [] }, options)[2]?.possible).toBe(false);
  });
});

describe('the commands', () => {
  it('name the folder, and the base by its name on the Hub', () => {
    expect(commands('model', 'run', model).map(({ tool }) => tool)).toEqual(['transformers', 'llama.cpp', 'MLX']);
    expect(commands('peft', 'run', model).map(({ code }) => code).join('\n')).toContain('AutoModelForCausalLM.from_pretrained("owner/name")');
    expect(commands('mlx', 'run', model)[0]?.code).toBe('mlx_lm.generate --model owner/name --adapter-path run --prompt "Your prompt"');
  });
  it('name the folder of any other base, and leave a place for that of the built-in one', () => {
    expect(commands('peft', 'run', { source: 'files', name: 'SmolLM2' })[1]?.code).toBe('python convert_lora_to_gguf.py run --base SmolLM2 --outfile run.gguf');
    expect(commands('peft', 'run', { source: 'built-in', name: 'Built-in model' })[1]?.code).toContain('--base FOLDER_OF_THE_BASE_MODEL');
  });
});
