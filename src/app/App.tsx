/** @file The page: head, rail, the selected view, status bar, and what lies over them. */
import { lazy, Suspense, type ComponentType, type ReactElement } from 'react';
import { DataSheet } from './data/DataSheet.tsx';
import { FirstRun } from './firstRun/FirstRun.tsx';
import { RecordedBanner } from './firstRun/RecordedBanner.tsx';
import { DropTarget } from './frame/DropTarget.tsx';
import { Head } from './frame/Head.tsx';
import { KeyList } from './frame/KeyList.tsx';
import { LiveRegion } from './frame/LiveRegion.tsx';
import { Rail } from './frame/Rail.tsx';
import { StatusBar } from './frame/StatusBar.tsx';
import { useKeyboard } from './frame/useKeyboard.ts';
import { useTitle } from './frame/useTitle.ts';
import { NoGpu } from './noGpu/NoGpu.tsx';
import { selectWelcome, useLab, type TabId } from './store.ts';
import { TrainTab } from './train/TrainTab.tsx';

// What the first page does not show is loaded when it is asked for.
const CompareTab = lazy(async () => ({ default: (await import('./compare/CompareTab.tsx')).CompareTab }));
const EvaluationSheet = lazy(async () => ({ default: (await import('./evaluate/EvaluationSheet.tsx')).EvaluationSheet }));
const ExportTab = lazy(async () => ({ default: (await import('./export/ExportTab.tsx')).ExportTab }));
const PlaygroundTab = lazy(async () => ({ default: (await import('./playground/PlaygroundTab.tsx')).PlaygroundTab }));
const SpectrumTab = lazy(async () => ({ default: (await import('./spectrum/SpectrumTab.tsx')).SpectrumTab }));

/** The Train tab, below the first-run page or the diagnosis where there is no run of one's own to show. */
function TrainView(): ReactElement {
  const welcome = useLab(selectWelcome);
  const unusable = useLab((state) => state.connection === 'unavailable' || state.connection === 'failed');
  const hasRuns = useLab((state) => state.runs.length > 0);
  return (
    <>
      {unusable ? <NoGpu /> : null}
      {welcome ? <FirstRun /> : null}
      <RecordedBanner />
      {hasRuns || (!welcome && !unusable) ? <TrainTab /> : null}
    </>
  );
}

function SpectrumView(): ReactElement {
  return (
    <>
      <RecordedBanner />
      <SpectrumTab />
    </>
  );
}

function CompareView(): ReactElement {
  return (
    <>
      <RecordedBanner />
      <CompareTab />
    </>
  );
}

const views: Readonly<Record<TabId, ComponentType>> = { train: TrainView, compare: CompareView, spectrum: SpectrumView, playground: PlaygroundTab, export: ExportTab };

export function App(): ReactElement {
  const tab = useLab((state) => state.tab);
  const sheet = useLab((state) => state.sheet);
  const View = views[tab];
  useKeyboard();
  useTitle();
  return (
    <>
      <a className="skip" href="#main">
        Skip to results
      </a>
      <div className="app">
        <Head />
        <Rail />
        <main className="main" id="main" tabIndex={-1}>
          {/* Stays in place under a sheet, so that nothing in it is lost. */}
          <section className="view" id={`view-${tab}`} role="tabpanel" aria-labelledby={`tab-${tab}`} hidden={sheet !== undefined}>
            <Suspense>
              <View />
            </Suspense>
          </section>
          {sheet === undefined ? null : <Suspense>{sheet === 'evaluation' ? <EvaluationSheet /> : <DataSheet key={sheet} role={sheet} />}</Suspense>}
        </main>
        <StatusBar />
      </div>
      <KeyList />
      <DropTarget />
      <LiveRegion />
    </>
  );
}
