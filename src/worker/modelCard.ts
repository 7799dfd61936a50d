/** @file The README.md of an exported model: what it is, how it was made, what it scored, how to use it. */
import type { ExportFacts } from './exporting.ts';
import type { Accuracy, Evaluation } from './protocol.ts';
import type { Run } from './runs.ts';

const METHOD_NAMES = { sft: 'SFT', rpsft: 'RPSFT (arXiv 2605.10973)', l2sp: 'L2-SP (arXiv 1802.01483)' } as const;

const percent = ({ correct, items, low, high }: Accuracy): string =>
  items === 0 ? 'not measured' : `${((100 * correct) / items).toFixed(1)}% (${correct} of ${items}, 95% interval ${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)})`;

/** Markdown with the exact configuration, seeds and data hashes of a run. */
export function modelCard(run: Run, { adapter, dataHashes }: ExportFacts): string {
  const evaluations = run.events.flatMap((event): Evaluation[] => (event.type === 'evaluation' ? [event.evaluation] : []));
  const rows = evaluations.map(({ step, heldOutLoss, inDomain, outOfDomain }) => `| ${step === 0 ? 'base' : step} | ${heldOutLoss.toFixed(3)} | ${percent(inDomain)} | ${percent(outOfDomain)} |`);
  return `---
library_name: transformers
pipeline_tag: text-generation
---

# ${run.material.modelName}, fine-tuned with ${METHOD_NAMES[run.config.method]}

${run.completedSteps} of ${run.config.steps} optimizer steps on ${run.material.datasetName}, in the browser with Gimbal on ${adapter}. Started ${run.startedAt}.

## Scores

Greedy exact match on held-out in-domain items and on the out-of-domain suite.

| step | held-out loss | in-domain | out-of-domain |
|---|---|---|---|
${rows.join('\n')}

## Use

    from transformers import AutoModelForCausalLM, AutoTokenizer
    model = AutoModelForCausalLM.from_pretrained("this-folder")
    tokenizer = AutoTokenizer.from_pretrained("this-folder")
    ids = tokenizer("Question\\n", return_tensors="pt", add_special_tokens=False)
    print(tokenizer.decode(model.generate(**ids, max_new_tokens=64)[0]))

A prompt is the question and a newline; the model ends its answer with its end-of-text token.

## Configuration

\`\`\`json
${JSON.stringify(run.config, null, 2)}
\`\`\`

## Data (SHA-256)

${Object.entries(dataHashes)
  .map(([name, hash]) => `- ${name}: \`${hash}\``)
  .join('\n')}
`;
}
