/** @file The results in words and a table; sentences claim no more than the ranges over seeds allow. */
import { STEPS } from './plan.ts';
import type { Line, Results } from './results.ts';
import { bestSft, LEVELS, linesOf, mean, outOfDomainAt, spread, valuesAt } from './results.ts';

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
    return `| ${line.label} | ${line.runs.length} | ${LEVELS.map((level) => spread(line.runs.map((run) => outOfDomainAt(run, level)))).join(' | ')} | ${spread(end.map(({ inDomain }) => inDomain / first!.inDomainItems))} | ${spread(end.map(({ outOfDomain }) => outOfDomain / first!.outOfDomainItems))} | ${mean(line.runs.map(({ drift }) => drift.angle)).toFixed(1)}° | ${mean(line.runs.map(({ drift }) => drift.relativeChange)).toFixed(3)} |`;
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

/** RPSFT against SFT at its best rate and against L2-SP at one level, worded by whether the ranges over seeds are apart. */
function compare(lines: readonly Line[], level: number): string {
  const rpsft = lines.find(({ method }) => method === 'rpsft');
  const own = rpsft ? valuesAt(rpsft, level) : [];
  const where = `- At ${100 * level}% in-domain:`;
  if (own.length === 0) return `${where} not reached by RPSFT in ${STEPS} steps.`;
  const against = (name: string, line: Line | undefined): string => {
    const other = line ? valuesAt(line, level) : [];
    if (other.length === 0) return `${name} did not reach it`;
    const points = Math.abs(100 * (mean(own) - mean(other))).toFixed(1);
    const reached = [own.length < rpsft!.runs.length && `RPSFT reached it with ${own.length} of ${rpsft!.runs.length} seeds`, other.length < line!.runs.length && `${name} with ${other.length} of ${line!.runs.length}`].filter(Boolean).join(', ');
    const note = reached && ` (${reached})`;
    if (Math.min(own.length, other.length) < 2) return `one seed says nothing sure of RPSFT and ${name}${note}`;
    if (Math.min(...own) > Math.max(...other)) return `RPSFT is ahead of ${name} by ${points} points, ranges apart${note}`;
    if (Math.max(...own) < Math.min(...other)) return `RPSFT is behind ${name} by ${points} points, ranges apart${note}`;
    return `which of RPSFT and ${name} is ahead is open, their ranges overlap${note}`;
  };
  const sft = bestSft(lines, level);
  const rate = sft ? ` (${sft.runs[0]!.learningRate})` : '';
  return `${where} ${against(`SFT at its best learning rate${rate}`, sft)}; ${against('L2-SP', lines.find(({ method }) => method === 'l2sp'))}.`;
}
