/** @file How the Compare view is set and what it is doing. Kept while the page stands, so that a look at another tab does not reset it. */
import { create } from 'zustand';
import type { MethodId, NumberParameter } from '../../worker/methods.ts';
import type { LabRun } from '../runs.ts';
import type { KeptRun } from './groups.ts';

export type Frame = 'near' | 'all';

export type SortKey = 'name' | 'inDomain' | 'outOfDomain' | 'change' | 'loss' | 'angle' | 'moved' | 'time';

/** A group that was deleted a moment ago and can come back. */
export interface RemovedGroup {
  readonly id: string;
  readonly name: string;
  readonly runs: readonly { readonly run: LabRun; readonly kept: KeptRun | undefined }[];
}

/** What the fields of the queue hold, as typed. */
export interface Builder {
  readonly methods: readonly MethodId[];
  /** Parameters of a method; those that are left out are as the Method station has them. */
  readonly values: Readonly<Partial<Record<MethodId, Readonly<Partial<Record<NumberParameter['id'], string>>>>>>;
  /** Undefined: as the edited run has it. */
  readonly rates: string | undefined;
  readonly seeds: string;
}

export interface CompareState {
  readonly frame: Frame;
  /** The group that the table of equal gain is read against; undefined or gone = chosen by the page. */
  readonly reference: string | undefined;
  readonly sort: { readonly key: SortKey; readonly descending: boolean };
  /** The group whose settings, environment and hashes are shown. */
  readonly opened: string | undefined;
  readonly removed: readonly RemovedGroup[];
  readonly builder: Builder;
  /** The runs that this browser keeps of the open model are being read. */
  readonly reading: boolean;
  /** Files are being written or read. */
  readonly working: 'bundle' | 'import' | 'report' | undefined;
  readonly problem: { readonly title: string; readonly message: string } | undefined;
  /** What has just been done. */
  readonly notice: string | undefined;
}

export const initialCompare: CompareState = {
  frame: 'near',
  reference: undefined,
  sort: { key: 'outOfDomain', descending: true },
  opened: undefined,
  removed: [],
  builder: { methods: ['sft', 'rpsft', 'l2sp'], values: {}, rates: undefined, seeds: '3' },
  reading: false,
  working: undefined,
  problem: undefined,
  notice: undefined,
};

export const useCompare = create<CompareState>()(() => initialCompare);

const { setState: set } = useCompare;

export const setFrame = (frame: Frame): void => set({ frame });

export const setReference = (reference: string): void => set({ reference });

/** A second click on the same column turns the order round. */
export const sortBy = (key: SortKey): void => set(({ sort }) => ({ sort: { key, descending: sort.key === key ? !sort.descending : key !== 'name' } }));

export const toggleOpened = (id: string): void => set(({ opened }) => ({ opened: opened === id ? undefined : id }));

export const editBuilder = (change: Partial<Builder>): void => set(({ builder }) => ({ builder: { ...builder, ...change } }));

export const dismissProblem = (): void => set({ problem: undefined });
