/** @file A training step of the Llama decoder in jax-js, one jitted function: loss, gradients, global-norm clip, AdamW. */
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { ropeTable } from '../src/graph/ops/rope.ts';
import type { BatchShape, PackedBatch } from '../src/models/decoder.ts';
import type { LlamaConfig } from '../src/models/llama.ts';
import type { AdamW } from '../src/training/optimizer.ts';

/** Iterator helpers, which jax-js uses and Node has from version 22 on. */
const iterators = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as Record<string, unknown>;
for (const helper of ['map', 'filter'] as const) {
  iterators[helper] ??= function (this: Iterable<unknown>, visit: (value: unknown) => unknown) {
    return [...this][helper](visit).values();
  };
}

type Layer = { inputNorm: np.Array; qkv: np.Array; output: np.Array; postNorm: np.Array; gateUp: np.Array; down: np.Array };
type Parameters = { embedding: np.Array; layers: Layer[]; norm: np.Array };
type State = { parameters: Parameters; moment1: Parameters; moment2: Parameters; updates: np.Array };
type Batch = { ids: np.Array; labels: np.Array; cos: np.Array; sin: np.Array };

/** jax-js takes ownership of every array it is given; `.ref` keeps one for later use. */
function rmsNorm(x: np.Array, gain: np.Array, epsilon: number): np.Array {
  const meanSquare = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(meanSquare.add(epsilon)))).mul(gain);
}

/** x [rows, length, heads, headDim], half-split convention. */
function rope(x: np.Array, cos: np.Array, sin: np.Array): np.Array {
  const [first, second] = np.split(x, 2, -1) as [np.Array, np.Array];
  const rotatedFirst = first.ref.mul(cos.ref).sub(second.ref.mul(sin.ref));
  return np.concatenate([rotatedFirst, second.mul(cos).add(first.mul(sin))], -1);
}

const linear = (x: np.Array, weight: np.Array): np.Array => np.matmul(x, weight.transpose());

function meanLoss(config: LlamaConfig, { rows, length }: BatchShape) {
  const { vocabSize, numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim, rmsNormEps } = config;
  const tokens = rows * length;
  const split = (x: np.Array, count: number): np.Array => x.reshape([rows, length, count, headDim]);

  function layerOutput(x: np.Array, layer: Layer, cos: np.Array, sin: np.Array): np.Array {
    const qkv = linear(rmsNorm(x.ref, layer.inputNorm, rmsNormEps), layer.qkv);
    const [queries, keys, values] = np.split(qkv, [heads * headDim, (heads + keyValueHeads) * headDim], -1) as [np.Array, np.Array, np.Array];
    const attended = nn.dotProductAttention(rope(split(queries, heads), cos.ref, sin.ref), rope(split(keys, keyValueHeads), cos, sin), split(values, keyValueHeads), { isCausal: true });
    const between = x.add(linear(attended.reshape([tokens, heads * headDim]), layer.output));
    const [gate, up] = np.split(linear(rmsNorm(between.ref, layer.postNorm, rmsNormEps), layer.gateUp), 2, -1) as [np.Array, np.Array];
    return between.add(linear(nn.silu(gate).mul(up), layer.down));
  }

  return ({ embedding, layers, norm }: Parameters, { ids, labels, cos, sin }: Batch): np.Array => {
    let x = np.take(embedding.ref, ids, 0);
    for (const layer of layers) x = layerOutput(x, layer, cos.ref, sin.ref);
    cos.dispose();
    sin.dispose();
    const logits = linear(rmsNorm(x, norm, rmsNormEps), embedding);
    const chosen = np.sum(logits.ref.mul(nn.oneHot(labels, vocabSize)), -1);
    return np.mean(nn.logsumexp(logits, -1).sub(chosen));
  };
}

/** The same rules as shaders/step-decision.wgsl and shaders/adamw.wgsl, without the skipped update. */
function update(state: State, gradients: Parameters, learningRate: np.Array, { beta1, beta2, epsilon, weightDecay, clipNorm }: AdamW): State {
  const squares = tree.leaves<np.Array>(gradients).map((gradient) => np.sum(np.square(gradient.ref)));
  const norm = np.sqrt(squares.reduce((sum, square) => sum.add(square)));
  const scale = np.minimum(np.reciprocal(norm.add(1e-6)).mul(clipNorm), 1);
  const clipped = tree.map((gradient: np.Array) => gradient.mul(scale.ref), gradients);
  scale.dispose();
  const updates = state.updates.add(1);
  const correction1 = np.exp(updates.ref.mul(Math.log(beta1))).mul(-1).add(1);
  const correction2 = np.exp(updates.ref.mul(Math.log(beta2))).mul(-1).add(1);
  const moment1 = tree.map((m: np.Array, gradient: np.Array) => m.mul(beta1).add(gradient.ref.mul(1 - beta1)), state.moment1, clipped);
  const moment2 = tree.map((v: np.Array, gradient: np.Array) => v.mul(beta2).add(np.square(gradient).mul(1 - beta2)), state.moment2, clipped);
  const rate = learningRate.ref.div(correction1);
  const parameters = tree.map(
    (weight: np.Array, m: np.Array, v: np.Array) => {
      const decayed = weight.ndim > 1 ? weight.mul(learningRate.ref.mul(-weightDecay).add(1)) : weight;
      return decayed.sub(rate.ref.mul(m.ref).div(np.sqrt(v.ref.div(correction2.ref)).add(epsilon)));
    },
    state.parameters,
    moment1,
    moment2,
  );
  for (const used of [rate, correction2, learningRate]) used.dispose();
  return { parameters, moment1, moment2, updates };
}

/** A run of jax-js: its state stays on the device, a step gives the loss before its update. */
export interface JaxRun {
  /** Submits a step. */
  submitStep(): void;
  /** Waits until everything submitted is done, by reading the loss of the last step. */
  readLoss(): Promise<number>;
}

/** @param weight numbers of a weight by its Hugging Face name, row-major; several names are stacked by rows */
export async function jaxRun(
  config: LlamaConfig,
  shape: BatchShape,
  batch: PackedBatch,
  optimizer: AdamW & { readonly learningRate: number },
  weight: (...names: readonly string[]) => Promise<Float32Array<ArrayBuffer>>,
): Promise<JaxRun> {
  const available = await init('webgpu');
  if (!available.includes('webgpu')) throw new Error('jax-js found no WebGPU adapter.');
  defaultDevice('webgpu');

  const { hiddenSize, numHiddenLayers, headDim } = config;
  const vector = async (name: string): Promise<np.Array> => np.array(await weight(name));
  const matrix = async (columns: number, ...names: readonly string[]): Promise<np.Array> => {
    const values = await weight(...names);
    return np.array(values, { shape: [values.length / columns, columns] });
  };
  const layers: Layer[] = [];
  for (let index = 0; index < numHiddenLayers; index++) {
    const name = (part: string): string => `model.layers.${index}.${part}.weight`;
    layers.push({
      inputNorm: await vector(name('input_layernorm')),
      qkv: await matrix(hiddenSize, name('self_attn.q_proj'), name('self_attn.k_proj'), name('self_attn.v_proj')),
      output: await matrix(config.numAttentionHeads * headDim, name('self_attn.o_proj')),
      postNorm: await vector(name('post_attention_layernorm')),
      gateUp: await matrix(hiddenSize, name('mlp.gate_proj'), name('mlp.up_proj')),
      down: await matrix(config.intermediateSize, name('mlp.down_proj')),
    });
  }
  const parameters: Parameters = { embedding: await matrix(hiddenSize, 'model.embed_tokens.weight'), layers, norm: await vector('model.norm.weight') };
  const zeros = (): Parameters => tree.map((array: np.Array) => np.zeros(array.shape), parameters);
  let state: State = { parameters, moment1: zeros(), moment2: zeros(), updates: np.array(0) };

  const half = headDim / 2;
  const table = ropeTable(shape.length, config.rope.frequencies);
  const angles = (first: number): np.Array => np.array(Float32Array.from({ length: shape.length * half }, (_, i) => table[Math.floor(i / half) * headDim + first + (i % half)]!), { shape: [shape.length, 1, half] });
  const arrays: Batch = { ids: np.array(Int32Array.from(batch.ids)), labels: np.array(Int32Array.from(batch.labels)), cos: angles(0), sin: angles(half) };

  const lossOf = meanLoss(config, shape);
  const step = jit((before: State, input: Batch, learningRate: np.Array): { state: State; loss: np.Array } => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(before.parameters), input);
    return { state: update(before, gradients, learningRate, optimizer), loss };
  });

  let last: np.Array | undefined;
  return {
    submitStep() {
      last?.dispose();
      const result = step(state, tree.ref(arrays), np.array(optimizer.learningRate));
      ({ state } = result);
      last = result.loss;
    },
    async readLoss() {
      if (!last) throw new Error('No step was submitted.');
      const [loss] = (await last.ref.data()) as Float32Array;
      await blockUntilReady(state.updates);
      return loss!;
    },
  };
}
