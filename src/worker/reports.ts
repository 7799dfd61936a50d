/**
 * @file What was measured on demand, as a bundle of runs carries it: measurements.json. Anyone may have written one, so a report is
 * checked field by field before the page draws it.
 */
import { conform, type Example } from '../formats/conform.ts';
import { FormatError, show } from '../formats/formatError.ts';
import { isJsonObject } from '../formats/folder.ts';
import type { ProbeKind, ProbeReport } from './protocol.ts';

/** The reports of a run, the earliest first. */
export const writeReports = (reports: readonly ProbeReport[]): string => `${JSON.stringify({ format: 1, reports }, null, 1)}\n`;

const ESTIMATE = { mean: 1, low: 1, high: 1 };
const SHARE = { share: 1, ratio: 1, 'standardError?': 1 };
const BLOCKS = { chance: 1, energy: 1, top: SHARE, 'random?': SHARE, 'tail?': SHARE };
const MATRIX = { name: '', 'layer?': 1, module: '', shape: [1], k: 1, ...BLOCKS } as const;
const STATE = { 'layer?': 1, cka: 1, cosine: 1, pcaShift: 1, explained: 1 };
const SCORED = { score: { value: 1, items: 1, low: 1, high: 1 }, 'change?': ESTIMATE };
const COMMON = { step: 1, at: '', dataset: '', examples: 1, seconds: 1 };
const ON_DATA = { kind: '', run: '', role: '', items: 1 };

const EXAMPLES: Readonly<Record<ProbeKind, Example>> = {
  fisher: { ...COMMON, request: { ...ON_DATA, of: '', tail: false }, fisher: { matrices: [MATRIX], whole: BLOCKS }, tokens: 1 },
  representation: { ...COMMON, request: ON_DATA, states: [STATE], tokens: 1 },
  output: { ...COMMON, request: ON_DATA, divergences: { baseToTuned: ESTIMATE, tunedToBase: ESTIMATE, jensenShannon: ESTIMATE }, tokens: 1 },
  restore: { ...COMMON, request: { kind: '', run: '', items: 1 }, measures: { inDomain: '', outOfDomain: '' }, rows: [{ weights: '', inDomain: SCORED, outOfDomain: SCORED }] },
};

/** What a field may say, by its path within a report. */
const WORDS: readonly (readonly [path: readonly string[], words: readonly string[]])[] = [
  [['request', 'role'], ['train', 'heldOut', 'outOfDomain']],
  [['request', 'of'], ['base', 'run']],
  [['measures', 'inDomain'], ['exact', 'choice', 'generation', 'perplexity']],
  [['measures', 'outOfDomain'], ['exact', 'choice', 'generation', 'perplexity']],
];
const WEIGHTS = ['base', 'tuned', 'values', 'rotation', 'block'];

/** @throws FormatError naming the report and the field */
export function readReports(text: string, path: string): ProbeReport[] {
  const fail = (what: string): never => {
    throw new FormatError(path, '', what);
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail(`not valid JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isJsonObject(json) || json['format'] !== 1) return fail(`format is ${show(isJsonObject(json) ? json['format'] : json)}; 1 is what can be read`);
  const reports = json['reports'];
  return Array.isArray(reports) ? reports.map((report: unknown, i) => readReport(report, `reports[${i}]`, fail)) : fail('reports is not a list');
}

function readReport(value: unknown, path: string, fail: (what: string) => never): ProbeReport {
  const request = isJsonObject(value) ? value['request'] : undefined;
  const kind = isJsonObject(request) ? request['kind'] : undefined;
  if (typeof kind !== 'string' || !Object.hasOwn(EXAMPLES, kind)) return fail(`${path}.request.kind is ${show(kind)}, which this version does not measure`);
  const report = conform(value, EXAMPLES[kind as ProbeKind], path, fail) as ProbeReport;
  for (const [fields, words] of WORDS) {
    const word = fields.reduce<unknown>((inner, field) => (isJsonObject(inner) ? inner[field] : undefined), report);
    if (word !== undefined && !words.includes(word as string)) fail(`${path}.${fields.join('.')} is ${show(word)}, not ${words.join(', ')}`);
  }
  if (Number.isNaN(Date.parse(report.at))) fail(`${path}.at is ${show(report.at)}, not a date`);
  if ('states' in report && report.states.length === 0) fail(`${path}.states is empty`);
  if ('rows' in report) for (const [i, { weights }] of report.rows.entries()) if (!WEIGHTS.includes(weights)) fail(`${path}.rows[${i}].weights is ${show(weights)}, not ${WEIGHTS.join(', ')}`);
  if ('fisher' in report) for (const [i, { shape }] of report.fisher.matrices.entries()) if (shape.length !== (2 as number)) fail(`${path}.fisher.matrices[${i}].shape has ${shape.length} numbers, not 2`);
  return report;
}
