/** @file The results in words and a table; sentences claim no more than the ranges over seeds allow. */
import { STEPS } from './plan.ts';
import type { Line, Results } from './results.ts';
import { LEVELS, linesOf, mean, outOfDomainAt, spread } from './results.ts';

/** Markdown with how it was run, the table and a sentence per comparison. */
export function report(results: Results): string {
  const lines = linesOf(results);
  const [first] = results.runs;
  const base = first!.points[0]!;
  const seeds = new Set(results.runs.map(({ seed }) => seed)).size;
  const hours = results.runs.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
  const header = `| method | seeds | ${LEVELS.map((level) => `OOD at ID ${100 * level}%`).join(' | ')} | end ID | end OOD | mean angle | relative change |`;
  const rows = lines.map((line) => {
    const end = line.runs.map(({ points }) => points.at(-1)!);
    return `| ${line.label}${line.method === 'sft' && line.isBestRate ? ' (best)' : ''} | ${line.runs.length} | ${LEVELS.map((level) => spread(line.runs.map((run) => outOfDomainAt(run, level)))).join(' | ')} | ${spread(end.map(({ inDomain }) => inDomain / first!.inDomainItems))} | ${spread(end.map(({ outOfDomain }) => outOfDomain / first!.outOfDomainItems))} | ${mean(line.runs.map(({ drift }) => drift.angle)).toFixed(1)}° | ${mean(line.runs.map(({ drift }) => drift.relativeChange)).toFixed(3)} |`;
  });
  return `# Experiment: what is kept at equal gain

\`npm run experiment\` on ${results.adapter}, ${results.date}, ${results.runs.length} runs of ${STEPS} steps in ${hours.toFixed(1)} h. Built-in model (model.safetensors ${results.model.slice(0, 12)}…), demo data; constant learning rate after 20 steps of
warm-up, batch 16, AdamW (0.9, 0.999), no weight decay, clip 1. Base model: in-domain ${base.inDomain} of ${first!.inDomainItems}, out-of-domain ${base.outOfDomain} of ${first!.outOfDomainItems}. Accuracy is greedy exact match, in percent; mean and range over ${seeds} seeds.
"OOD at ID x%" is the out-of-domain accuracy where a run first reaches that in-domain accuracy, interpolated between evaluations. Angle and change are means over all matrices after the last step.

![In-domain and out-of-domain accuracy against steps](figure.svg)

${header}
|${'---|'.repeat(LEVELS.length + 6)}
${rows.join('\n')}

${LEVELS.map((level) => compare(lines, level)).join('\n')}
`;
}

/** RPSFT against each other line at one level, worded by whether the ranges over seeds are apart. */
function compare(lines: readonly Line[], level: number): string {
  const at = (line: Line): number[] => line.runs.map((run) => outOfDomainAt(run, level)).filter((value) => value !== undefined);
  const rpsft = lines.find(({ method }) => method === 'rpsft');
  if (!rpsft || at(rpsft).length === 0) return `- At ${100 * level}% in-domain: not reached by RPSFT in ${STEPS} steps.`;
  const own = at(rpsft);
  const sentences = lines
    .filter((line) => line !== rpsft && line.isBestRate)
    .map((line) => {
      const other = at(line);
      const name = line.method === 'sft' ? `SFT at its best learning rate (${line.runs[0]!.learningRate})` : 'L2-SP';
      if (other.length === 0) return `${name} did not reach it`;
      const points = (100 * (mean(own) - mean(other))).toFixed(1);
      const apart = Math.min(...own) > Math.max(...other) ? 'ahead of' : Math.max(...own) < Math.min(...other) ? 'behind' : undefined;
      return apart ? `RPSFT is ${apart} ${name} by ${points.replace('-', '')} points, ranges apart` : `which of RPSFT and ${name} is ahead is open (ranges overlap)`;
    });
  return `- At ${100 * level}% in-domain: ${sentences.join('; ')}.`;
}
