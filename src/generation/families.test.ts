/**
 * @file Every model family against transformers, on the small random checkpoints of reference/families.py: loss, logits and
 * the gradient of every weight over a packed batch, and decoding with the key-value cache.
 */
import { describe, expect, it } from 'vitest';
import { readFloats } from '../gpu/buffers.ts';
import { Program } from '../gpu/program.ts';
import { testContext } from '../gpu/testing.ts';
import { compile } from '../graph/compile.ts';
import { gradients } from '../graph/gradients.ts';
import type { Tensor } from '../graph/graph.ts';
import { IGNORED } from '../graph/ops/head-loss.ts';
import { linear } from '../graph/ops/matmul.ts';
import { relativeError } from '../graph/testing.ts';
import type { PackedBatch } from '../models/decoder.ts';
import { BatchBuffers, decoderGraph } from '../models/decoder.ts';
import type { WeightSource } from '../models/model.ts';
import { Model } from '../models/model.ts';
import { ParameterBuffers } from '../models/parameters.ts';
import { fileShape, toFile } from '../models/stored.ts';
import type { BatchJson } from '../models/testing.ts';
import { FIXTURE_SHAPE, loadFixtureModel, packedBatch, readFixtureJson, readFixtureTensors } from '../models/testing.ts';
import { Generator } from './generator.ts';

const FAMILIES = ['llama3', 'qwen2', 'qwen3', 'gpt2', 'gpt2-untied', 'gpt-neox', 'gpt-neox-sequential'];

const { rows, length } = FIXTURE_SHAPE;

interface Forward {
  readonly loss: number;
  readonly argmax: Uint32Array;
  /** [tokens, vocabulary] */
  readonly logits: Float64Array;
}

/** One program over a batch: loss, most likely tokens, logits, and gradients in the layout of the weights. */
async function packedProgram(model: Model): Promise<{ run: (batch: PackedBatch) => Promise<Forward>; gradient: ParameterBuffers }> {
  const { context } = model;
  const { gpu, pool, pipelines } = context;
  const buffers = new BatchBuffers(context, FIXTURE_SHAPE);
  const { graph, nll, argmax, trainable, bindings } = decoderGraph(context, model, buffers, FIXTURE_SHAPE);
  const [hidden, head] = nll.node!.inputs;
  const logits = linear(graph, hidden!, head!);
  const gradient = new ParameterBuffers(model.layout, pool, 'gradients', 'gradients');
  const { of, same } = gradients(graph, nll, [...trainable.values()]);
  for (const placed of model.layout.parameters) bindings.set(of.get(trainable.get(placed.name)!)!, gradient.slice(placed));
  const losses = same.get(nll)!;
  const { calls, slices } = compile(graph, [losses, argmax, logits, ...of.values()], { facts: gpu.facts, pool, bindings });
  const program = await Program.record(gpu.device, pipelines, 'family', calls);
  const read = async (tensor: Tensor): Promise<Float32Array<ArrayBuffer>> => readFloats(gpu.device, slices.get(tensor)!);
  return {
    gradient,
    async run(batch) {
      buffers.write(batch);
      program.replay();
      const nlls = await read(losses);
      const best = new Uint32Array((await read(argmax)).buffer);
      return { loss: nlls.reduce((sum, value, i) => sum + value * batch.rowWeights[i]!, 0), argmax: best, logits: Float64Array.from(await read(logits)) };
    },
  };
}

describe.each(FAMILIES)('%s', (folder) => {
  it('has the loss, the logits and every gradient of transformers, and decodes what its forward pass says', async () => {
    const model = await loadFixtureModel(folder);
    expect(model.unusedTensors).toEqual([]);
    const batch = await readFixtureJson<BatchJson & { loss: number }>(`${folder}/batch.json`);
    const golden = await readFixtureTensors(`${folder}/golden.safetensors`);
    const { run, gradient } = await packedProgram(model);

    // Both sides are f32: a few hundred roundings along the longest path, some of them through exp.
    const { loss, logits } = await run(packedBatch(batch));
    expect(Math.abs(loss / batch.loss - 1)).toBeLessThan(2e-6);
    const expected = Float64Array.from(await golden.read('logits'));
    expect(relativeError(logits.subarray(0, expected.length), expected)).toBeLessThan(1e-5);
    for (const weight of model.layout.weights) {
      expect(golden.tensors.get(weight.name)?.shape, weight.name).toEqual(fileShape(weight));
      const values = toFile(weight, await gradient.read(model.context.gpu.device, weight));
      expect(relativeError(Float64Array.from(values), Float64Array.from(await golden.read(weight.name))), weight.name).toBeLessThan(2e-5);
    }
    expect(model.layout.weights).toHaveLength(golden.tensors.size - 1);

    // Greedy continuations of two prompts through the cache, then the packed forward pass over them, a prompt a row.
    const prompts = [batch.ids.slice(0, 3), batch.ids.slice(24, 31)];
    const generator = await Generator.create(model, model.weights, { sequences: rows, length }, []);
    generator.begin(prompts.map((prompt) => ({ prompt })), { temperature: 0, topK: 0, topP: 1, seed: 0 });
    const { tokens } = await generator.advance(length);
    const texts = prompts.map((prompt, row) => [...prompt, ...tokens[row]!.map(({ id }) => id)]);
    const forward = await run({
      ids: Uint32Array.from(texts.flat()),
      labels: new Uint32Array(rows * length).fill(IGNORED),
      positions: Uint32Array.from({ length: rows * length }, (_, i) => i % length),
      documentStart: new Uint32Array(rows * length),
      rowWeights: new Float32Array(rows * length),
    });
    for (const [row, prompt] of prompts.entries()) expect(texts[row]!.slice(prompt.length)).toEqual(Array.from(forward.argmax.subarray(row * length + prompt.length - 1, (row + 1) * length - 1)));
    // The last decoded position is the one before the last token.
    const { vocabSize } = model.config;
    const last = Float64Array.from((await generator.lastLogits()).subarray(0, vocabSize));
    expect(relativeError(last, forward.logits.subarray((length - 2) * vocabSize, (length - 1) * vocabSize))).toBeLessThan(1e-5);
    generator.destroy();
    model.destroy();
  });
});

describe('files of a family', () => {
  it('may lack the prefix, and hold masks and tensors of something else', async () => {
    const own = await readFixtureTensors('gpt2/model.safetensors');
    const config = await readFixtureJson<Record<string, unknown>>('gpt2/config.json');
    const bare = (name: string): string => name.replace(/^transformer\./, '');
    const shape = { shape: [1] };
    const source: WeightSource = {
      tensors: new Map([...[...own.tensors].map(([name, entry]) => [bare(name), entry] as const), ['h.0.attn.bias', shape], ['lm_head.weight', shape], ['score.weight', shape]]),
      read: (name) => own.read(`transformer.${name}`),
    };
    const context = await testContext();
    const [usual, renamed] = [await Model.load(context, config, own), await Model.load(context, config, source)];
    expect(renamed.unusedTensors).toEqual(['score.weight']);
    const conv1d = usual.layout.weights.find(({ name }) => name === 'transformer.h.1.mlp.c_fc.weight')!;
    const values = await renamed.weights.read(context.gpu.device, conv1d);
    expect(values).toEqual(await usual.weights.read(context.gpu.device, conv1d));
    expect(toFile(conv1d, values)).toEqual(await own.read(conv1d.name));
    context.pool.destroyAll();
  });

  it('are refused when a sequence is longer than the learned positions', async () => {
    const model = await loadFixtureModel('gpt2');
    await expect(Generator.create(model, model.weights, { sequences: 1, length: 33 }, [])).rejects.toThrow('learned 32 positions; sequences of 33 tokens');
    model.destroy();
  });

  it.each(FAMILIES)('%s can be made anew', async (folder) => {
    const context = await testContext();
    const model = Model.create(context, await readFixtureJson(`${folder}/config.json`), 1);
    for (const weight of model.layout.weights) {
      const values = await model.weights.read(context.gpu.device, weight);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      // A matrix has a mean of 0.2 / sqrt(count), five times that bounds it; vectors are gains and biases.
      if (weight.shape.length > 1) expect(Math.abs(mean), weight.name).toBeLessThan((5 * 0.2) / Math.sqrt(values.length));
      else expect(new Set(values), weight.name).toEqual(new Set([weight.name.endsWith('.bias') ? 0 : 1]));
    }
    model.destroy();
  });
});
