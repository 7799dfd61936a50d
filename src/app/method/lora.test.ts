/** @file What LoRA trains in a model, and the settings that are usual for it. */
import { describe, expect, it } from 'vitest';
import type { ModelSummary } from '../../worker/protocol.ts';
import { configForModel, defaultConfig, defaultLora, usualConfig, type ModelFacts } from './defaults.ts';
import { loraScale, loraWeights } from './loraWeights.ts';

type Linears = ModelSummary['linears'];

/** A layer type from the outputs and inputs of its matrices. */
const linear = (name: string, shapes: readonly (readonly [number, number])[], byDefault = true): Linears[number] => ({ name, count: shapes.length, weights: shapes.reduce((sum, [out, input]) => sum + out * input, 0), byDefault });
const repeated = (layers: number, shape: readonly [number, number]): readonly (readonly [number, number])[] => Array.from({ length: layers }, () => shape);

const smol: Linears = [
  linear('q_proj', repeated(30, [576, 576])), linear('k_proj', repeated(30, [192, 576])), linear('v_proj', repeated(30, [192, 576])), linear('o_proj', repeated(30, [576, 576])),
  linear('gate_proj', repeated(30, [1536, 576])), linear('up_proj', repeated(30, [1536, 576])), linear('down_proj', repeated(30, [576, 1536])),
];

describe('the weights of adapters', () => {
  it('are r (in + out) in every matrix', () => {
    const model = { linears: smol, hiddenSize: 576 };
    expect(loraWeights(model, ['k_proj'], 16)).toBe(30 * 16 * (192 + 576));
    expect(loraWeights(model, smol.map(({ name }) => name), 16)).toBe(4_884_480);
    expect(loraWeights(model, [], 16)).toBe(0);
  });

  it('count matrices of two shapes under one name, as in GPT-2', () => {
    const linears = [linear('c_proj', [...repeated(12, [768, 768]), ...repeated(12, [768, 3072])])];
    expect(loraWeights({ linears, hiddenSize: 768 }, ['c_proj'], 4)).toBe(12 * 4 * (768 + 768) + 12 * 4 * (768 + 3072));
  });

  it('count alpha over r times, or over its root', () => {
    expect(loraScale(defaultLora)).toBe(2);
    expect(loraScale({ ...defaultLora, rsLora: true })).toBe(8);
  });
});

describe('the run being edited, on another model', () => {
  const builtIn: ModelFacts = { source: 'built-in', contextLength: 128, linears: smol };
  const other: ModelFacts = { source: 'hub', contextLength: 2048, linears: smol };
  const gpt: ModelFacts = { source: 'hub', contextLength: 1024, linears: [linear('c_attn', [[2304, 768]]), linear('c_fc', [[3072, 768]], false)] };

  it('takes what is usual there', () => expect(configForModel(defaultConfig, builtIn, other)).toEqual(usualConfig(other, { method: 'rpsft' })));
  it('finds the way back', () => expect(configForModel(configForModel(defaultConfig, builtIn, other), other, builtIn)).toEqual(defaultConfig));
  it('keeps what was set', () => expect(configForModel({ ...defaultConfig, learningRate: 1e-4, steps: 777 }, builtIn, other)).toMatchObject({ learningRate: 1e-4, steps: 777, rankFraction: 0.2 }));
  it('has rows no longer than the model reads', () => {
    expect(configForModel({ ...defaultConfig, maxLength: 1500 }, other, gpt).maxLength).toBe(1024);
    expect(configForModel({ ...defaultConfig, maxLength: 1500 }, other, builtIn).maxLength).toBe(128);
  });
  it('adapts layers that the model has', () => {
    const lora = { ...defaultLora, targets: ['q_proj', 'c_fc'] };
    expect(configForModel({ ...defaultConfig, lora }, other, gpt).lora?.targets).toEqual(['c_fc']);
    expect(configForModel({ ...defaultConfig, lora: { ...lora, targets: ['q_proj'] } }, other, gpt).lora?.targets).toEqual(['c_attn']);
    expect(configForModel({ ...defaultConfig, lora: defaultLora }, undefined, other).lora?.targets).toEqual(smol.map(({ name }) => name));
  });
  it('starts from no run of the model before', () => expect(configForModel({ ...defaultConfig, startFrom: 'run-1' }, builtIn, other)).not.toHaveProperty('startFrom'));
});
