/** @file The README.md of an export: what it is, how it was made, what it scored and on which adapter, and the commands that use it. */
import type { LoraSettings } from '../formats/lora.ts';
import { addedPenalty, methodInfo, type MethodId } from './methods.ts';
import type { Accuracy, Evaluation, ExportOptions, RunConfig } from './protocol.ts';

const DTYPE_NAMES = { F32: 'float32', BF16: 'bfloat16', F16: 'float16' } as const;

/** Everything that a card states. */
export interface CardFacts {
  readonly options: ExportOptions;
  readonly base: { readonly name: string; readonly revision?: string | undefined };
  readonly config: RunConfig;
  readonly startedAt: string;
  readonly completedSteps: number;
  readonly evaluations: readonly Evaluation[];
  /** Of the run that it starts from. */
  readonly start?: Evaluation | undefined;
  readonly datasetName: string;
  /** SHA-256 of each file of data, by its name. */
  readonly dataHashes: Readonly<Record<string, string>>;
  /** The WebGPU adapter that everything was computed and measured on. */
  readonly adapter: string;
  /** Of an exported adapter. */
  readonly lora?: LoraSettings & { readonly modules: number };
  /** Share of ‖W − W0‖² that an adapter extracted from a full fine-tune holds. */
  readonly retainedEnergy?: number | undefined;
  /** Whether prompts are conversations that the chat template writes. */
  readonly chat: boolean;
}

/** Markdown with YAML metadata as the Hugging Face Hub reads it. */
export function modelCard(facts: CardFacts): string {
  const { options, base, config, startedAt, completedSteps, datasetName, dataHashes, adapter } = facts;
  const { maxLength, seed } = config;
  return `${metadata(facts)}
# ${base.name}, ${trainedWith(config)}

${description(facts)} ${completedSteps} of ${config.steps} optimizer steps on ${datasetName}, in the browser with Gimbal. Started ${startedAt}.

| | |
|---|---|
| base model | ${base.name} |
| revision | ${base.revision ?? 'not known'} |
| format | ${options.kind === 'model' ? `Hugging Face folder, ${DTYPE_NAMES[options.dtype]}` : options.kind === 'peft' ? 'PEFT adapter, float32' : 'MLX adapter, float32'} |
| seed | ${seed} (order of the data${config.lora ? ' and first values of the adapter' : ''}) |
| longest example | ${maxLength} tokens |
| computed on | ${adapter} |

## Scores

${scores(facts)}

## Use

${commands(facts)}
## Configuration

\`\`\`json
${JSON.stringify(config, null, 2)}
\`\`\`

## Data (SHA-256)

${Object.entries(dataHashes)
  .map(([name, hash]) => `- ${name}: \`${hash}\``)
  .join('\n')}

Every measurement is in metrics.jsonl (all of it), metrics.csv (a row a step) and trainer_state.json (as transformers writes it); run.json holds the configuration. logits.json, where it is there, holds what the lab computed after three prompts, to compare a load elsewhere with.
`;
}

/** The method, and the penalty beside it. */
function methodIds(config: RunConfig): readonly MethodId[] {
  const added = addedPenalty(config);
  return [config.method, ...(added ? [added] : [])];
}

/** "fine-tuned with RPSFT (arXiv 2605.10973)", "trained with GRPO (arXiv 2402.03300) from RPSFT (arXiv 2605.10973)". */
function trainedWith(config: RunConfig): string {
  const methods = methodIds(config).map(cited).join(' + ');
  if (config.reinforce === undefined) return `fine-tuned with ${methods}`;
  return `trained with GRPO (arXiv 2402.03300)${config.startFrom === undefined ? '' : ` from ${methods}`}`;
}

/** "RPSFT (arXiv 2605.10973)". */
function cited(method: MethodId): string {
  const { name, source } = methodInfo(method);
  return source.url === undefined ? name : `${name} (${source.url.replace('https://arxiv.org/abs/', 'arXiv ')})`;
}

/** Names that the Hub takes: of a repository there, not of a folder here. */
const isHubName = (name: string): boolean => /^[\w.-]+\/[\w.-]+$/.test(name);

/** A YAML string: JSON strings are one. */
const yaml = (text: string): string => JSON.stringify(text);

function metadata({ options, base, config, datasetName }: CardFacts): string {
  const { kind } = options;
  const tags = [...(config.reinforce === undefined ? [] : ['grpo']), ...(config.reinforce !== undefined && config.startFrom === undefined ? [] : methodIds(config)), ...(kind === 'model' ? [] : ['lora']), ...(kind === 'mlx' ? ['mlx'] : []), 'gimbal'];
  return [
    '---',
    `library_name: ${{ model: 'transformers', peft: 'peft', mlx: 'mlx' }[kind]}`,
    'pipeline_tag: text-generation',
    ...(isHubName(base.name) ? [`base_model: ${yaml(base.name)}`, `base_model_relation: ${kind === 'model' ? 'finetune' : 'adapter'}`] : []),
    'datasets:',
    `  - ${yaml(datasetName)}`,
    'tags:',
    ...tags.map((tag) => `  - ${tag}`),
    '---',
    '',
  ].join('\n');
}

function description({ options, lora, retainedEnergy, config }: CardFacts): string {
  if (options.kind === 'model') return config.lora ? `All weights, a LoRA adapter of rank ${config.lora.rank} merged into them.` : 'All weights.';
  const { r, alpha, rsLora, modules } = lora!;
  const what = `A LoRA adapter of ${modules} layers: r ${r}, alpha ${alpha}, scale ${rsLora ? 'alpha / √r' : 'alpha / r'}.`;
  if (retainedEnergy === undefined) return what;
  return `${what} It was taken from a full fine-tune by truncated SVD and holds ${(100 * retainedEnergy).toFixed(1)}% of the change of those layers (‖W − W0‖²). The rest is not in it, nor what changed in embeddings, norms and biases.`;
}

const percent = ({ correct, items, low, high }: Accuracy): string =>
  items === 0 ? 'not measured' : `${((100 * correct) / items).toFixed(1)}% (${correct} of ${items}, 95% interval ${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)})`;

const loss = (value: number): string => (Number.isFinite(value) ? value.toFixed(3) : 'not measured');

function scores({ evaluations, start, retainedEnergy, options, adapter }: CardFacts): string {
  if (evaluations.length === 0) return 'None were measured.';
  const row = (name: string | number, { heldOutLoss, outOfDomainLoss, inDomain, outOfDomain }: Evaluation): string => `| ${name} | ${loss(heldOutLoss)} | ${percent(inDomain)} | ${loss(outOfDomainLoss)} | ${percent(outOfDomain)} |`;
  const rows = evaluations.flatMap((evaluation) => (evaluation.step === 0 ? [row('base', evaluation), ...(start ? [row('the run it starts from', start)] : [])] : [row(evaluation.step, evaluation)]));
  const rounding = options.kind === 'model' && options.dtype !== 'F32' ? ` before the weights were rounded to ${DTYPE_NAMES[options.dtype]}` : '';
  const extraction = retainedEnergy === undefined ? '' : ' with the full weights, of which this adapter is an approximation';
  return `Measured on ${adapter} in float32${rounding}${extraction}: mean loss of a token and share of right answers, on held-out in-domain items and on the out-of-domain suite.

| step | in-domain loss | in-domain | out-of-domain loss | out-of-domain |
|---|---|---|---|---|
${rows.join('\n')}`;
}

const python = (...lines: readonly string[]): string => `\`\`\`python\n${lines.join('\n')}\n\`\`\`\n`;
const shell = (...lines: readonly string[]): string => `\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`;

function commands(facts: CardFacts): string {
  const { options, base, chat } = facts;
  const baseArguments = `${JSON.stringify(base.name)}${base.revision === undefined ? '' : `, revision=${JSON.stringify(base.revision)}`}`;
  const prompt = chat
    ? ['ids = tokenizer.apply_chat_template([{"role": "user", "content": "Question"}], add_generation_prompt=True, return_tensors="pt", return_dict=True)']
    : ['ids = tokenizer("Question\\n", return_tensors="pt", add_special_tokens=False)'];
  const generate = [...prompt, 'print(tokenizer.decode(model.generate(**ids, max_new_tokens=64)[0]))'];
  const where = isHubName(base.name) ? '' : `"${base.name}" stands for the folder of the base model, which this adapter needs.\n\n`;
  if (options.kind === 'model') {
    return `With transformers:

${python('from transformers import AutoModelForCausalLM, AutoTokenizer', 'model = AutoModelForCausalLM.from_pretrained("this-folder")', 'tokenizer = AutoTokenizer.from_pretrained("this-folder")', ...generate)}
With llama.cpp, after conversion:

${shell('python convert_hf_to_gguf.py this-folder --outfile model.gguf', 'llama-cli -m model.gguf -p "Question"')}
With MLX:

${shell('mlx_lm.generate --model this-folder --prompt "Question"')}
transformers.js runs ONNX, not these files. Optimum converts many models; whether it converts this one, and what the result scores, was not tried:

${shell('pip install optimum-onnx', 'optimum-cli export onnx --model this-folder onnx-folder')}`;
  }
  if (options.kind === 'peft') {
    return `${where}With PEFT and transformers:

${python('from peft import PeftModel', 'from transformers import AutoModelForCausalLM, AutoTokenizer', `base = AutoModelForCausalLM.from_pretrained(${baseArguments})`, 'model = PeftModel.from_pretrained(base, "this-folder")', `tokenizer = AutoTokenizer.from_pretrained(${baseArguments})`, ...generate, 'merged = model.merge_and_unload()  # plain weights, for save_pretrained')}
With llama.cpp, after conversion of base and adapter:

${shell('python convert_hf_to_gguf.py base-folder --outfile base.gguf', 'python convert_lora_to_gguf.py this-folder --base base-folder --outfile adapter.gguf', 'llama-cli -m base.gguf --lora adapter.gguf -p "Question"')}
For MLX, export the run as an MLX adapter. For transformers.js, merge it as above, save it and convert the result to ONNX.
`;
  }
  return `${where}With MLX:

${shell(`mlx_lm.generate --model ${base.name} --adapter-path this-folder --prompt "Question"`, `mlx_lm.fuse --model ${base.name} --adapter-path this-folder --save-path merged-folder`)}
The merged folder opens in transformers, and llama.cpp's convert_hf_to_gguf.py converts it. For PEFT, export the run as a PEFT adapter.
`;
}
