/** @file What a run can be exported as, what each kind holds and how large it is, and how it is opened elsewhere. Pure, with tests. */
import type { ExportKind, ExportOptions, ModelSummary } from '../../worker/protocol.ts';
import { loraWeights } from '../method/loraWeights.ts';
import type { LabRun } from '../runs.ts';

export interface KindInfo {
  readonly kind: ExportKind;
  readonly label: string;
  /** What it holds, or why this run cannot be exported so. */
  readonly detail: string;
  readonly possible: boolean;
  /** Bytes of the weights. */
  readonly bytes: number;
  /** An adapter that is made from the change of all weights. */
  readonly extracted: boolean;
}

export const bytesPerWeight = { F32: 4, BF16: 2, F16: 2 } as const satisfies Record<ExportOptions['dtype'], number>;

const labels: Readonly<Record<ExportKind, string>> = { model: 'Hugging Face folder', peft: 'PEFT adapter', mlx: 'MLX adapter' };

/** Why a run has no adapter of its own and none can be made from it. */
function obstacle(run: LabRun, runs: readonly LabRun[], model: ModelSummary): string | undefined {
  if (model.linears.length === 0) return 'This model has no linear layer that an adapter could change.';
  const parent = runs.find(({ id }) => id === run.config.startFrom);
  const startedFull = run.config.lora !== undefined && parent !== undefined && parent.config.lora === undefined;
  return startedFull ? 'This run started from another run, which changed all weights: an adapter alone would miss that. Take the folder.' : undefined;
}

/** The kinds in the order of the Export tab, for a run with these options. */
export function exportKinds(run: LabRun, runs: readonly LabRun[], model: ModelSummary, { dtype, rank }: Pick<ExportOptions, 'dtype' | 'rank'>): readonly KindInfo[] {
  const { lora } = run.config;
  const merged = lora === undefined ? '' : ', the adapter merged into them';
  const reason = obstacle(run, runs, model);
  const adapter = (kind: 'peft' | 'mlx', opens: string): KindInfo => ({
    kind, label: labels[kind], possible: reason === undefined, extracted: lora === undefined,
    bytes: 4 * loraWeights(model, lora?.targets ?? model.linears.map(({ name }) => name), lora?.rank ?? rank),
    detail: reason ?? (lora === undefined ? `Extracted from the change of the weights by truncated SVD, rank ${rank}. ${opens}` : `The adapter alone, rank ${lora.rank}. ${opens}`),
  });
  return [
    {
      kind: 'model', label: labels.model, possible: true, extracted: false, bytes: model.parameters * bytesPerWeight[dtype],
      detail: `All weights${merged}, config and tokenizer, with the settings and every measurement of the run. Opens in transformers.`,
    },
    adapter('peft', 'Opens in peft, on the base model.'),
    adapter('mlx', 'Opens in mlx-lm, on the base model.'),
  ];
}

/** One way to open what was exported, as text to copy. */
export interface Command {
  readonly tool: string;
  readonly language: 'Python' | 'shell';
  readonly code: string;
}

/** What the base model is called in commands: its name on the Hub, the folder it was opened from, or a place for the folder of the built-in model. */
export const baseName = ({ source, name }: Pick<ModelSummary, 'source' | 'name'>): string => (source === 'built-in' ? 'FOLDER_OF_THE_BASE_MODEL' : name);

/** How each tool opens the folder that was written, on `model` as the base where it is an adapter. */
export function commands(kind: ExportKind, folder: string, model: Pick<ModelSummary, 'source' | 'name'>): readonly Command[] {
  const base = baseName(model);
  switch (kind) {
    case 'model':
      return [
        {
          tool: 'transformers', language: 'Python',
          code: `from transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("${folder}")\ntokenizer = AutoTokenizer.from_pretrained("${folder}")`,
        },
        { tool: 'llama.cpp', language: 'shell', code: `python convert_hf_to_gguf.py ${folder} --outfile ${folder}.gguf\nllama-cli -m ${folder}.gguf -p "Your prompt"` },
        { tool: 'MLX', language: 'shell', code: `mlx_lm.generate --model ${folder} --prompt "Your prompt"` },
      ];
    case 'peft':
      return [
        {
          tool: 'PEFT', language: 'Python',
          code: `from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nbase = AutoModelForCausalLM.from_pretrained("${base}")\nmodel = PeftModel.from_pretrained(base, "${folder}")\ntokenizer = AutoTokenizer.from_pretrained("${base}")`,
        },
        { tool: 'llama.cpp', language: 'shell', code: `python convert_lora_to_gguf.py ${folder} ${model.source === 'hub' ? `--base-model-id ${base}` : `--base ${base}`} --outfile ${folder}.gguf` },
      ];
    case 'mlx':
      return [{ tool: 'MLX', language: 'shell', code: `mlx_lm.generate --model ${base} --adapter-path ${folder} --prompt "Your prompt"` }];
  }
}
