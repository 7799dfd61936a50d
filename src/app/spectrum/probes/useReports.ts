/** @file The reports of all runs, for the figures. */
import { useShallow } from 'zustand/react/shallow';
import type { ProbeReport } from '../../../worker/protocol.ts';
import { useLab } from '../../store.ts';
import { reportsOf } from './reports.ts';

/** The latest first; the same array until one is added or goes. */
export const useReports = (): readonly ProbeReport[] => useLab(useShallow((state) => reportsOf(state.runs)));
