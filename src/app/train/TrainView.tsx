/** @file The Train view from plain data: the finding, the balance, and the figures that are the evidence. */
import { memo, useMemo, type ReactElement } from 'react';
import type { RunConfig, SuiteMeasures } from '../../worker/protocol.ts';
import { Icon } from '../parts/Icon.tsx';
import type { LabRun } from '../runs.ts';
import type { SuitePlateProps } from './FailuresButton.tsx';
import { figureSet } from './figureSet.ts';
import { balanceRows, findingOf, readyFinding, type NamedRun } from './findings.ts';
import { FollowedPlates } from './FollowedPlates.tsx';
import { GroupsPlate } from './GroupsPlate.tsx';
import { Lead } from './Lead.tsx';
import { LossPlate } from './LossPlate.tsx';
import { heights } from './margins.ts';
import { reinforceNotice } from './reinforceNotice.ts';
import { ReinforcePlates } from './ReinforcePlates.tsx';
import { useTrainSettings } from './settings.ts';
import { SuitePlate } from './SuitePlate.tsx';
import { GradientNormPlate, LearningRatePlate, PenaltyPlate, ThroughputPlate } from './StepPlates.tsx';
import { TrainTools } from './TrainTools.tsx';
import './train.css';

export interface TrainViewProps {
  /** Runs to draw, the current one last. Empty before the first run. */
  readonly runs: readonly LabRun[];
  /** Runs that could be laid over. */
  readonly hidden: readonly NamedRun[];
  readonly show: (id: string, visible: boolean) => void;
  /** The run that would start now. */
  readonly planned: RunConfig;
  /** Name of its method and data, and its time such as "about 53 s". */
  readonly plannedMethod: string;
  readonly plannedData: string;
  readonly plannedTime: string | undefined;
  /** What it would measure the suites by. */
  readonly plannedMeasures: SuiteMeasures;
  /** Opens the evaluation on demand; undefined where there is nothing to measure with. */
  readonly onEvaluate: (() => void) | undefined;
  readonly onFailures: SuitePlateProps['onFailures'];
  readonly narrow: boolean;
}

/** Renders only when a run or a setting has changed. */
export const TrainView = memo(function TrainView({
  runs,
  hidden,
  show,
  planned,
  plannedMethod,
  plannedData,
  plannedTime,
  plannedMeasures,
  onEvaluate,
  onFailures,
  narrow,
}: TrainViewProps): ReactElement {
  const { lossScale, smoothing } = useTrainSettings();
  const figures = useMemo(() => figureSet(runs, planned, narrow, plannedMeasures), [runs, planned, narrow, plannedMeasures]);
  const current = figures.drawn.at(-1);
  const overlays = figures.drawn.slice(0, -1);
  const config = current?.run.config ?? planned;
  const finding = current ? findingOf(current, overlays) : readyFinding(planned, plannedMethod, plannedData, plannedTime, plannedMeasures);
  const notice = current && reinforceNotice(current.run);
  return (
    <>
      <Lead finding={finding} rows={balanceRows([...figures.drawn].reverse())} />
      {notice === undefined ? null : (
        <p className="note warn train-notice">
          <Icon name="alert" />
          {notice}
        </p>
      )}
      <TrainTools hasRun={current !== undefined} overlays={overlays} others={hidden} show={show} onEvaluate={onEvaluate} />
      <div className="figure-grid">
        <SuitePlate suite="inDomain" figures={figures} onFailures={onFailures} />
        <SuitePlate suite="outOfDomain" figures={figures} onFailures={onFailures} />
        <FollowedPlates figures={figures} />
        {config.reinforce === undefined ? (
          <>
            <LossPlate figures={figures} scale={lossScale} smoothing={smoothing} />
            <PenaltyPlate figures={figures} config={config} />
          </>
        ) : (
          <ReinforcePlates figures={figures} config={config} smoothing={smoothing} />
        )}
        {current ? (
          <>
            <GradientNormPlate figures={figures} config={config} smoothing={smoothing} />
            {config.reinforce === undefined ? <GroupsPlate figures={figures} /> : null}
            <LearningRatePlate figures={figures} config={config} height={config.reinforce === undefined ? heights.small : heights.loss} />
            <ThroughputPlate figures={figures} smoothing={smoothing} height={config.reinforce === undefined ? heights.small : heights.loss} />
            {config.reinforce === undefined ? null : <GroupsPlate figures={figures} />}
          </>
        ) : (
          <LearningRatePlate figures={figures} config={config} height={heights.emptyLoss} />
        )}
      </div>
    </>
  );
});
