/** @file The Compare view from plain data: the finding, the queue, and the figures and tables that are the evidence. */
import { useMemo, type ReactElement, type ReactNode } from 'react';
import { Phrases } from '../charts/Phrases.tsx';
import { FileButton } from '../parts/FileButton.tsx';
import { Alert } from '../parts/Alert.tsx';
import { Icon } from '../parts/Icon.tsx';
import { isLive } from '../runs.ts';
import { compare } from './comparison.ts';
import { CurvePlates } from './CurvePlates.tsx';
import type { DrawnGroup } from './curves.ts';
import { comparisonFinding } from './findings.ts';
import { countedRuns, type KeptRuns, type RunGroup } from './groups.ts';
import { KeptPlate } from './KeptPlate.tsx';
import { saveReport } from './saveReport.ts';
import { runRow, sortRows } from './rows.ts';
import { RunsPlate } from './RunsPlate.tsx';
import { ScatterPlate } from './ScatterPlate.tsx';
import { settingsTable, sharedSentence } from './settings.ts';
import { SettingsPlate } from './SettingsPlate.tsx';
import { dismissProblem, useCompare } from './state.ts';
import { openBundle, saveBundle } from './stored.ts';

interface CompareViewProps {
  /** All groups, those deleted a moment ago among them. */
  readonly groups: readonly RunGroup[];
  readonly removed: ReadonlySet<string>;
  readonly kept: KeptRuns;
  /** The group of the selected run. */
  readonly selected: string | undefined;
  readonly narrow: boolean;
  /** Stands between the finding and the figures. */
  readonly queue: ReactNode;
}

/** What went wrong last, and what has just been done. */
export function CompareNotices(): ReactElement | null {
  const { problem, notice } = useCompare();
  if (problem === undefined) return notice === undefined ? null : <p className="compare-notice" role="status">{notice}</p>;
  return (
    <div className="compare-problem">
      <Alert
        title={problem.title}
        actions={
          <button type="button" className="btn" onClick={dismissProblem}>
            Close
          </button>
        }
      >
        <p>{problem.message}</p>
      </Alert>
    </div>
  );
}

/** Opens a bundle of runs. */
export function OpenBundle(): ReactElement {
  const working = useCompare((state) => state.working);
  return (
    <FileButton accept=".zip,application/zip" label="Bundle of runs" disabled={working !== undefined} onFile={(file) => void openBundle(file)}>
      <Icon name="folder" />
      {working === 'import' ? 'Opening the bundle' : 'Open a bundle'}
    </FileButton>
  );
}

function Files({ groups, kept, selected }: Pick<CompareViewProps, 'groups' | 'kept' | 'selected'>): ReactElement {
  const working = useCompare((state) => state.working);
  const ticked = groups.filter(({ visible }) => visible).flatMap(({ runs }) => runs).filter((run) => !run.recorded && !isLive(run));
  return (
    <div className="compare-files">
      <button type="button" className="btn" disabled={working !== undefined} onClick={() => void saveReport(groups, kept, selected)}>
        <Icon name="file" />
        {working === 'report' ? 'Writing the report' : 'Save report'}
      </button>
      <button type="button" className="btn" disabled={working !== undefined || ticked.length === 0} title="Settings, logs, notes, environment and data hashes of the ticked runs; weights from the row of a run" onClick={() => void saveBundle(ticked.map(({ id }) => id), false)}>
        <Icon name="download" />
        {working === 'bundle' ? 'Writing the bundle' : 'Save ticked runs'}
      </button>
      <OpenBundle />
    </div>
  );
}

export function CompareView({ groups, removed, kept, selected, narrow, queue }: CompareViewProps): ReactElement {
  const sort = useCompare((state) => state.sort);
  const present = useMemo(() => groups.filter(({ id }) => !removed.has(id)), [groups, removed]);
  const comparison = useMemo(() => compare(present, kept), [present, kept]);
  const finding = useMemo(() => comparisonFinding(comparison, true), [comparison]);
  const settings = useMemo(() => settingsTable(present, kept), [present, kept]);
  const rows = useMemo(() => sortRows(groups.map((group) => runRow(group, removed.has(group.id))), sort), [groups, removed, sort]);
  const drawn = useMemo(() => {
    const measured = present.filter((group) => countedRuns(group).length > 0);
    const weight = ({ id, visible }: RunGroup): DrawnGroup['emphasis'] => (visible ? (id === selected ? 'current' : 'overlay') : 'faint');
    const order: Readonly<Record<DrawnGroup['emphasis'], number>> = { faint: 0, overlay: 1, current: 2 };
    return measured.map((group) => ({ group, emphasis: weight(group) })).toSorted((a, b) => order[a.emphasis] - order[b.emphasis]);
  }, [present, selected]);
  return (
    <>
      <header className="lead one">
        <div>
          <h2 className="lead-line">
            <Phrases phrases={finding.line} />
          </h2>
          <p className="lead-sub">{finding.detail}</p>
        </div>
      </header>
      <CompareNotices />
      {queue}
      <div className="figure-grid compare-grid">
        <ScatterPlate comparison={comparison} selected={selected} narrow={narrow} />
        <KeptPlate comparison={comparison} />
        <RunsPlate rows={rows} selected={selected} shared={sharedSentence(settings)} />
        <CurvePlates drawn={drawn} narrow={narrow} />
        <SettingsPlate groups={present} settings={settings} />
      </div>
      <Files groups={present} kept={kept} selected={selected} />
    </>
  );
}
