/** @file What was measured on demand, kept with the runs: one report of each question, and which of them can stand side by side. Pure functions, with tests. */
import type { ProbeKind, ProbeReport, ProbeRequest, RunId } from '../../../worker/protocol.ts';

export type ReportOf<Kind extends ProbeKind> = Extract<ProbeReport, { readonly request: { readonly kind: Kind } }>;

/** The same question, asked of whatever run. */
const question = ({ request, dataset }: Pick<ProbeReport, 'request' | 'dataset'>): string => [request.kind, request.items, 'role' in request ? request.role : '', dataset].join(' ');

const subject = (request: ProbeRequest): string => [request.run, request.kind === 'fisher' ? request.of : ''].join(' ');

/** The latest first; a new report takes the place of the one that asked the same of the same weights. */
export const withReport = (reports: readonly ProbeReport[], report: ProbeReport): readonly ProbeReport[] => [
  report,
  ...reports.filter((other) => question(other) !== question(report) || subject(other.request) !== subject(report.request)),
];

/** Reports of several runs, the latest first. */
export const reportsOf = (runs: readonly { readonly reports: readonly ProbeReport[] }[]): readonly ProbeReport[] =>
  runs.flatMap(({ reports }) => reports).sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));

/** Reports of a kind by what they asked, the latest question first; those of one question in the order of `runs`, the base model first. */
export function sideBySide<Kind extends ProbeKind>(kind: Kind, reports: readonly ProbeReport[], runs: readonly RunId[]): readonly (readonly ReportOf<Kind>[])[] {
  const isOfKind = (report: ProbeReport): report is ReportOf<Kind> => report.request.kind === kind && runs.includes(report.request.run);
  const order = ({ request }: ProbeReport): number => 2 * runs.indexOf(request.run) + (request.kind === 'fisher' && request.of === 'base' ? 0 : 1);
  const own = reports.filter(isOfKind);
  return [...new Set(own.map(question))].map((asked) => own.filter((report) => question(report) === asked).sort((a, b) => order(a) - order(b)));
}

/** Reports of a kind that can stand side by side: those that asked what the latest one of these runs did. */
export const comparable = <Kind extends ProbeKind>(kind: Kind, reports: readonly ProbeReport[], runs: readonly RunId[]): readonly ReportOf<Kind>[] => sideBySide(kind, reports, runs)[0] ?? [];
