/** @file Writes the report of a comparison; what writes it is loaded when it is first wanted. */
import { download } from '../export/write.ts';
import { useLab } from '../store.ts';
import type { KeptRuns, RunGroup } from './groups.ts';
import { useCompare } from './state.ts';
import { withFiles } from './stored.ts';

/** Saves what the view shows as one file that opens without a network. */
export const saveReport = (groups: readonly RunGroup[], kept: KeptRuns, selected: string | undefined): Promise<void> =>
  withFiles('report', 'The report was not written.', async () => {
    const { frame, reference } = useCompare.getState();
    const { model } = useLab.getState();
    const [{ reportPage }, { renderStatic }] = await Promise.all([import('../report/page.ts'), import('../report/renderStatic.ts')]);
    const page = await reportPage({ groups, kept, selected, frame, reference, model: model?.name, date: new Date() }, renderStatic);
    const name = `gimbal-report-${new Date().toISOString().slice(0, 10)}.html`;
    download(new File([page], name, { type: 'text/html' }), name);
    return `The report is in ${name}.`;
  });
