/**
 * @file LoRA adapters as Hugging Face PEFT writes them: adapter_model.safetensors with adapter_config.json beside it
 * (github.com/huggingface/peft, src/peft/tuners/lora/config.py and src/peft/utils/save_and_load.py). A is [r, in] and B [out, r] for every family, also
 * where the layer is a Conv1D, whose own weight is [in, out].
 */
import { FormatError, show } from './formatError.ts';
import type { JsonObject, ModelFiles } from './folder.ts';
import { readJson } from './folder.ts';
import type { BaseModel, LoraAdapter, LoraModule } from './lora.ts';
import { assertFits, isConv1d } from './lora.ts';
import { assertFinite, encodeFloats, openSafetensors, readRawTensor, readTensor, writeSafetensors } from './safetensors.ts';

export const PEFT_CONFIG = 'adapter_config.json';
export const PEFT_WEIGHTS = 'adapter_model.safetensors';

/** How PEFT wraps a model: PeftModel.base_model is LoraModel, whose model is transformers' own. */
const PREFIX = 'base_model.model.';

/**
 * The two files of an adapter, f32.
 * @throws FormatError naming the module that the base model does not have or that does not fit it
 */
export function writePeftAdapter(adapter: LoraAdapter, base: BaseModel): ModelFiles {
  assertFits(adapter, base, PEFT_WEIGHTS);
  const { settings, modules } = adapter;
  const { r, alpha, rsLora } = settings;
  const tensors = modules.flatMap(({ name, a, b }) => [
    { name: `${PREFIX}${name}.lora_A.weight`, dtype: 'F32' as const, shape: [r, a.length / r], bytes: encodeFloats(a, 'F32') },
    { name: `${PREFIX}${name}.lora_B.weight`, dtype: 'F32' as const, shape: [b.length / r, r], bytes: encodeFloats(b, 'F32') },
  ]);
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: base.name,
    revision: base.revision ?? null,
    r,
    lora_alpha: alpha,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: isConv1d(base),
    inference_mode: true,
    init_lora_weights: true,
    modules_to_save: null,
    target_modules: targetModules(modules.map(({ name }) => name), base),
    use_rslora: rsLora,
    use_dora: false,
  };
  return new Map([
    [PEFT_CONFIG, new Blob([`${JSON.stringify(config, null, 2)}\n`], { type: 'application/json' })],
    [PEFT_WEIGHTS, writeSafetensors(tensors)],
  ]);
}

/** Short names (`q_proj`) where they select the adapted layers and no other, else full paths. PEFT adds an untrained adapter to whatever they select. */
function targetModules(names: readonly string[], base: BaseModel): string[] {
  const short = [...new Set(names.map((name) => name.slice(name.lastIndexOf('.') + 1)))].toSorted();
  const linear = [...base.tensors].filter(([tensor, { shape }]) => shape.length === 2 && tensor.endsWith('.weight')).map(([tensor]) => tensor.slice(0, -'.weight'.length));
  const selected = linear.filter((module) => short.some((name) => module === name || module.endsWith(`.${name}`)));
  return selected.length === names.length ? short : names.toSorted();
}

export interface PeftAdapter extends LoraAdapter {
  /** `base_model_name_or_path` and `revision`, where they were written. */
  readonly baseModel: string | undefined;
  readonly revision: string | undefined;
}

/** Values of `init_lora_weights` that leave the base model as it is; the others (pissa, olora, loftq, ...) change its weights when they are set up. */
const HARMLESS_INITS: readonly unknown[] = [undefined, null, true, false, 'gaussian', 'orthogonal', 'eva'];

/**
 * Fields of adapter_config.json that change what an adapter computes, each with the values that this reader honours. Any other value is refused: the
 * matrices would load, and the model would not be the one that was trained.
 */
const HONOURED: readonly (readonly [field: string, accepts: (value: unknown) => boolean, advice: string])[] = [
  ['peft_type', (value) => value === 'LORA', 'only LORA adapters can be opened'],
  ['task_type', (value) => value === undefined || value === null || value === 'CAUSAL_LM', 'only CAUSAL_LM adapters can be opened'],
  ['use_dora', isOff, 'DoRA is not supported; merge it in PEFT and open the merged model'],
  ['use_qalora', isOff, 'QALoRA is not supported'],
  ['use_bdlora', isOff, 'BD-LoRA is not supported'],
  ['bias', (value) => value === undefined || value === 'none', 'trained biases are not supported; merge the adapter in PEFT and open the merged model'],
  ['lora_bias', isOff, 'biases of the adapter are not supported'],
  ['modules_to_save', isOff, 'modules trained in full beside the adapter are not supported; merge it in PEFT and open the merged model'],
  ['rank_pattern', isOff, 'every module must have the same r'],
  ['alpha_pattern', isOff, 'every module must have the same lora_alpha'],
  ['layer_replication', isOff, 'replicated layers are not supported'],
  ['target_parameters', isOff, 'adapted parameters outside linear layers are not supported'],
  ['trainable_token_indices', isOff, 'trained tokens are not supported; merge the adapter in PEFT and open the merged model'],
  ['alora_invocation_tokens', isOff, 'activated LoRA is not supported'],
  ['arrow_config', isOff, 'Arrow routing is not supported'],
  ['kasa_config', isOff, 'KaSA changes the base weights'],
  ['monteclora_config', isOff, 'MonteCLoRA is not supported'],
  ['init_lora_weights', (value) => HARMLESS_INITS.includes(value), 'it changes the base weights; convert the adapter in PEFT by save_pretrained with path_initial_model_for_weight_conversion'],
];

/** Absent, null, false, or an empty list or object. */
function isOff(value: unknown): boolean {
  return value === undefined || value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

/**
 * Reads an adapter that PEFT or `writePeftAdapter` wrote. Which layers are adapted is what the tensors say: `target_modules` may be a list, a regular
 * expression or "all-linear", and only tells PEFT where to look. `fan_in_fan_out` is not looked at: PEFT itself goes by the layer it finds.
 * @throws FormatError naming the file with the field and value or the tensor
 */
export async function readPeftAdapter(files: ModelFiles, base: BaseModel): Promise<PeftAdapter> {
  const config = await readJson(files, PEFT_CONFIG);
  if (config === undefined) throw new FormatError(PEFT_CONFIG, '', 'it is missing; an adapter needs it beside its weights');
  const settings = readSettings(config);
  const weights = files.get(PEFT_WEIGHTS);
  if (weights === undefined) {
    const pickled = files.has('adapter_model.bin') ? '; adapter_model.bin is a PyTorch pickle, which can run code: save it again with safe_serialization=True' : '';
    throw new FormatError(PEFT_WEIGHTS, '', `it is missing${pickled}`);
  }
  const file = await openSafetensors(weights, PEFT_WEIGHTS);
  const halves = new Map<string, { A?: Float32Array<ArrayBuffer>; B?: Float32Array<ArrayBuffer> }>();
  for (const [tensor, { shape }] of file.tensors) {
    const fail = (what: string): never => {
      throw new FormatError(PEFT_WEIGHTS, `tensor ${show(tensor)}`, what);
    };
    const [, module, half] = KEY.exec(tensor) ?? fail(`is not one of an adapter's; their names are ${PREFIX}<layer>.lora_A.weight and ...lora_B.weight`);
    if (shape.length !== 2 || shape[half === 'A' ? 0 : 1] !== settings.r) fail(`has the shape ${show(shape)}; with r ${settings.r} it must be ${half === 'A' ? `[${settings.r}, in]` : `[out, ${settings.r}]`}`);
    assertFinite(await readRawTensor(file, tensor), tensor, PEFT_WEIGHTS);
    const values = await readTensor(file, tensor);
    halves.set(module!, { ...halves.get(module!), [half!]: values });
  }
  const modules = [...halves].map(([name, { A: a, B: b }]): LoraModule => {
    if (a === undefined || b === undefined) throw new FormatError(PEFT_WEIGHTS, `module ${show(name)}`, `has no ${a === undefined ? 'lora_A' : 'lora_B'}`);
    return { name, a, b };
  });
  const adapter = { settings, modules };
  assertFits(adapter, base, PEFT_WEIGHTS);
  const text = (field: string): string | undefined => (typeof config[field] === 'string' ? config[field] : undefined);
  return { ...adapter, baseModel: text('base_model_name_or_path'), revision: text('revision') };
}

/** Some tools keep the adapter's name ("default") in its keys. */
const KEY = /^base_model\.model\.(.+)\.lora_(A|B)(?:\.default)?\.weight$/;

function readSettings(config: JsonObject): LoraAdapter['settings'] {
  const refuse = (field: string, advice: string): never => {
    throw new FormatError(PEFT_CONFIG, field, `is ${JSON.stringify(config[field]).slice(0, 80)}; ${advice}`);
  };
  for (const [field, accepts, advice] of HONOURED) if (!accepts(config[field])) refuse(field, advice);
  const { r, lora_alpha: alpha, use_rslora: rsLora = false } = config;
  if (typeof r !== 'number' || !Number.isInteger(r) || r < 1) return refuse('r', 'a whole number of at least 1 is needed');
  if (typeof alpha !== 'number' || !(alpha > 0)) return refuse('lora_alpha', 'a positive number is needed');
  if (typeof rsLora !== 'boolean') return refuse('use_rslora', 'true or false is needed');
  return { r, alpha, rsLora };
}
