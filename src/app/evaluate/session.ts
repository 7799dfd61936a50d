/** @file What the evaluation sheet does: keeps its form and reports in the store, measures, fetches items, and saves them. */
import type { EvaluatedItem, EvaluationRequest, RunId } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { download } from '../export/write.ts';
import { lab, sentence } from '../lab.ts';
import { edit as editPlayground } from '../playground/session.ts';
import { openSheet, showTab, useLab } from '../store.ts';
import { requestOf, type EvaluationForm, type EvaluationState, type NamedReport, type Suite } from './form.ts';
import { itemLines } from './report.ts';

const { setState: set, getState: get } = useLab;

/** The worker keeps the items of this many reports. */
const keptReports = 8;
/** Items of a request while a file is written. */
const itemsPerRequest = 500;

export const edit = (change: Partial<EvaluationState>): void => set(({ evaluation }) => ({ evaluation: { ...evaluation, ...change } }));

export const editForm = (change: Partial<EvaluationForm>): void => edit({ form: { ...get().evaluation.form, ...change }, problem: undefined, notice: undefined });

/** The report that is shown: the one that was chosen, else the latest. */
export const selectReport = ({ evaluation: { reports, shown } }: { readonly evaluation: EvaluationState }): NamedReport | undefined =>
  reports.find(({ report }) => report.id === shown) ?? reports[0];

/** Names of the columns as they are now: a run may be renamed by new runs, or removed, later. */
function columnNames(): NamedReport['names'] {
  const { runs } = get();
  const names = runNames(runs);
  return { base: 'Base model', ...Object.fromEntries(runs.map(({ id }, index) => [id, names[index] ?? id])) };
}

/** Measures what the form asks for. */
export async function evaluate(): Promise<void> {
  const { evaluation, datasets, runs } = get();
  if (evaluation.going !== undefined) return;
  const request = requestOf(evaluation.form, datasets[evaluation.form.role], runs);
  if (typeof request === 'string') {
    edit({ problem: request });
    return;
  }
  const names = columnNames();
  edit({ going: { progress: undefined, cancelling: false }, problem: undefined, notice: undefined });
  try {
    const report = await lab().evaluate(request);
    edit({ reports: [{ report, names }, ...get().evaluation.reports].slice(0, keptReports), shown: report.id });
  } catch (error) {
    edit(get().evaluation.going?.cancelling === true ? { notice: 'Cancelled. Nothing was measured; earlier reports are as they were.' } : { problem: sentence(error) });
  } finally {
    edit({ going: undefined });
  }
}

/** Ends the evaluation that is going on, after the batch it is at. */
export async function cancelEvaluation(): Promise<void> {
  edit({ going: { progress: get().evaluation.going?.progress, cancelling: true } });
  await lab().cancelEvaluation();
}

/** Shows what a run got wrong: from a report that has it, else from one that is made now. */
export async function showFailures(role: Suite, run: RunId): Promise<void> {
  const { reports, form } = get().evaluation;
  const there = reports.find(({ report: { request } }) => request.role === role && request.columns.includes(run) && request.measure !== 'perplexity');
  edit({ which: 'failures', form: { ...form, role, runs: [run], measure: undefined }, ...(there === undefined ? {} : { shown: there.report.id }) });
  openSheet('evaluation');
  if (there === undefined) await evaluate();
}

export const openEvaluation = (): void => openSheet('evaluation');

/** Puts the question of an item into the playground, with what it expects. */
export function askInPlayground({ prompt, expected }: EvaluatedItem, { role, measure }: Pick<EvaluationRequest, 'role' | 'measure'>): void {
  editPlayground({ prompt, source: { role, expected, worked: measure === 'generation' } });
  showTab('playground');
}

/** Saves all items of a report as JSON lines. */
export async function saveItems({ report, names }: NamedReport): Promise<void> {
  const lines: string[] = [];
  try {
    for (let from = 0, total = 1; from < total; from += itemsPerRequest) {
      const page = await lab().evaluatedItems(report.id, 'all', from, itemsPerRequest);
      total = page.total;
      lines.push(itemLines(page.items, names));
    }
    const name = `gimbal-${report.request.role === 'heldOut' ? 'held-out' : 'out-of-domain'}-${report.request.measure}.jsonl`;
    download(new File(lines, name, { type: 'application/jsonl' }), name);
  } catch (error) {
    edit({ problem: sentence(error) });
  }
}
