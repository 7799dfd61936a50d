/**
 * @file The angles of the rotary embedding as config.json asks for them. transformers 4 writes `rope_theta` and
 * `rope_scaling`, transformers 5 one object `rope_parameters`; where both are there, `rope_scaling` counts, as there.
 */
import { ropeFrequencies } from '../graph/ops/rope.ts';
import { ConfigFields } from './configFields.ts';

export interface RopeSettings {
  /** Angles a position of the rotated pairs; twice as many numbers of a head are rotated, from the first. */
  readonly frequencies: Float64Array;
  /** What cosines and sines are multiplied by; 1 but for YaRN. */
  readonly factor: number;
}

/** The fields of transformers 4 that a family has. */
export interface RopeFields {
  readonly theta: string;
  /** For the rotated part of a head, and that part where neither version names it; absent where whole heads are rotated. */
  readonly part?: { readonly field: string; readonly usual: number };
}

/** How each `rope_type` changes the plain frequencies. Their sources are transformers' modeling_rope_utils.py and the papers named there. */
const SCALINGS: ReadonlyMap<unknown, (frequencies: Float64Array, fields: ConfigFields, context: { readonly theta: number; readonly maxPositions: number }) => RopeSettings> = new Map([
  ['default', (frequencies) => ({ frequencies, factor: 1 })],
  ['linear', (frequencies, fields) => ({ frequencies: frequencies.map((frequency) => frequency / fields.positive('factor')), factor: 1 })],
  ['llama3', llama3],
  ['yarn', yarn],
]);

/**
 * Reads the rotary embedding of heads of `headDim` numbers.
 * @throws {ModelConfigError} naming the field when the kind of scaling is not supported or a number of it is missing
 */
export function parseRope(config: ConfigFields, headDim: number, names: RopeFields): RopeSettings {
  const fields = config.object('rope_scaling') ?? config.object('rope_parameters') ?? new ConfigFields({}, 'rope_parameters.');
  for (const [name, value] of Object.entries(fields.json)) if (value !== null && typeof value === 'object' && !Array.isArray(value)) fields.fail(name, 'settings that differ between layers are not supported');
  const theta = fields.positive('rope_theta', config.positive(names.theta, 10000));
  const [owner, partField] = 'partial_rotary_factor' in fields.json ? [fields, 'partial_rotary_factor'] : [config, names.part?.field ?? 'partial_rotary_factor'];
  const part = owner.positive(partField, names.part?.usual ?? 1);
  if (!names.part && part !== 1) owner.fail(partField, 'models of this family rotate whole heads');
  const rotated = Math.floor(headDim * part);
  if (rotated % 2 || rotated < 2 || rotated > headDim) owner.fail(partField, `${rotated} of ${headDim} numbers of a head cannot be rotated in pairs`);
  const named = fields.json['rope_type'] === undefined && fields.json['type'] !== undefined ? 'type' : 'rope_type';
  const scaling = fields.choice(named, SCALINGS, 'default');
  return scaling(ropeFrequencies(rotated, theta), fields, { theta, maxPositions: config.count('max_position_embeddings', 2048) });
}

/** Llama 3.1: slow rotations are slowed down by `factor`, fast ones stay, those between are blended. */
function llama3(plain: Float64Array, fields: ConfigFields, { maxPositions }: { readonly maxPositions: number }): RopeSettings {
  const factor = fields.positive('factor');
  const low = fields.positive('low_freq_factor');
  const high = fields.positive('high_freq_factor');
  const context = fields.count('original_max_position_embeddings', maxPositions);
  const frequencies = plain.map((frequency) => {
    const turns = (context * frequency) / (2 * Math.PI);
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    const blend = (turns - low) / (high - low);
    return (1 - blend) * (frequency / factor) + blend * frequency;
  });
  return { frequencies, factor: 1 };
}

/** YaRN (arXiv 2309.00071): a ramp over the pairs from the plain frequency to that divided by `factor`, and a factor on cosine and sine. */
function yarn(plain: Float64Array, fields: ConfigFields, { theta, maxPositions }: { readonly theta: number; readonly maxPositions: number }): RopeSettings {
  const context = fields.count('original_max_position_embeddings', maxPositions);
  const factor = fields.positive('factor', maxPositions / context);
  const size = 2 * plain.length;
  const pairAt = (rotations: number): number => (size * Math.log(context / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const whole = fields.flag('truncate', true);
  const from = pairAt(fields.positive('beta_fast', 32));
  const to = pairAt(fields.positive('beta_slow', 1));
  const low = Math.max(0, whole ? Math.floor(from) : from);
  const high = Math.min(size - 1, whole ? Math.ceil(to) : to);
  const frequencies = plain.map((frequency, i) => {
    const slowed = Math.min(1, Math.max(0, (i - low) / (high === low ? 0.001 : high - low)));
    return (frequency / factor) * slowed + frequency * (1 - slowed);
  });
  const scale = (by: number): number => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const { mscale, mscale_all_dim: allDimensions } = fields.json;
  const inferred = mscale && allDimensions ? scale(fields.positive('mscale')) / scale(fields.positive('mscale_all_dim')) : scale(1);
  return { frequencies, factor: fields.positive('attention_factor', inferred) };
}
