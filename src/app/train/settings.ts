/** @file How the Train figures are drawn. Kept while the page stands, so that a look at another tab does not reset it. */
import { create } from 'zustand';
import type { ScaleKind } from '../charts/scales.ts';

export interface TrainSettings {
  readonly lossScale: ScaleKind;
  /** Weight of the past in the moving average: 0 = none. */
  readonly smoothing: number;
}

export const useTrainSettings = create<TrainSettings>()(() => ({ lossScale: 'log', smoothing: 0.9 }));

export const setLossScale = (lossScale: ScaleKind): void => useTrainSettings.setState({ lossScale });

export const setSmoothing = (smoothing: number): void => useTrainSettings.setState({ smoothing });
