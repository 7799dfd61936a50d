/**
 * @file The one store of the page. It holds plain data only; what changes it are the functions in labClient.ts (which talk to the worker)
 * and the small setters below. The cursor of the figures is apart (cursor.ts), because it moves with the pointer.
 */
import { create } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type {
  DataProblem, DatasetRole, DatasetSummary, Diagnosis, Estimate, ExportOptions, ExportResult, Fit, HubInfo, HubRequest, KeptBases, KeptFile, LoraConfig, MethodId, ModelSummary, NamedFile, PenaltyId, Precision, QueueState, RecordedRun, RunConfig,
  RunId, SamplingOptions, StorageReport,
} from '../worker/protocol.ts';
import type { KeptRuns } from './compare/groups.ts';
import { initialEvaluation, type EvaluationState } from './evaluate/form.ts';
import { defaultConfig, defaultLora, loraForModel, moveUsual, usualConfig } from './method/defaults.ts';
import { supervised } from './method/reinforce.ts';
import { memoryKey, pickSettings, remember, switchMethod, type MethodMemory, type MethodSettings } from './method/methodSettings.ts';
import { defaultSampling, type Column, type Trial } from './playground/answers.ts';
import { isLive, type LabRun, type PhaseProgress } from './runs.ts';
import { initialProbes, type ProbesState } from './spectrum/probes/probes.ts';

/** `unavailable`: the diagnosis says what is missing. `failed`: the worker itself did not start or the model did not load. */
export type Connection = 'connecting' | 'loading' | 'ready' | 'unavailable' | 'failed';

export const tabIds = ['train', 'compare', 'spectrum', 'playground', 'export'] as const;
export type TabId = (typeof tabIds)[number];

export const stationIds = ['model', 'data', 'method', 'run'] as const;
export type StationId = (typeof stationIds)[number];

/** What lies over the main area: the preview of a dataset, or the evaluation on demand. */
export type Sheet = DatasetRole | 'evaluation';

export type Theme = 'system' | 'light' | 'dark';

/** A file that was not loaded, with what is needed to try again without a row. */
export interface FileProblem {
  readonly role: DatasetRole;
  readonly problem: DataProblem;
  /** Undefined when the problem is with a mapping, not with a file. */
  readonly file: File | undefined;
  readonly skipRows: readonly number[];
}

/** A file that is being read, or read again with other columns. */
export interface Importing {
  readonly role: DatasetRole;
  readonly file: string;
  readonly progress: PhaseProgress | undefined;
  readonly cancelling: boolean;
}

/** The recorded run of `public/recorded/run.json`. */
export type Recording = { readonly status: 'none' | 'loading' | 'missing' } | { readonly status: 'shown'; readonly on: RecordedRun['recordedOn'] };

/** The form of the playground and what was asked, the latest first. */
export interface Playground {
  readonly prompt: string;
  /** Where the prompt was taken from; undefined when it was typed. */
  readonly source: Trial['source'];
  readonly sampling: SamplingOptions;
  /** What to ask; undefined = the base model and the latest runs. */
  readonly columns: readonly Column[] | undefined;
  /** Answers are marked against this column. */
  readonly reference: Column;
  readonly asking: boolean;
  readonly trials: readonly Trial[];
}

/** What a model can be opened from. */
export type ModelOrigin =
  | { readonly kind: 'built-in' }
  | { readonly kind: 'files'; readonly name: string; readonly files: readonly NamedFile[] }
  | { readonly kind: 'hub'; readonly request: HubRequest }
  /** The open model again, with its matrices kept otherwise. */
  | { readonly kind: 'precision' };

/** A model, an adapter or an exported run that is wanted, with the precision to keep matrices in. */
export interface ModelRequest {
  readonly origin: ModelOrigin;
  readonly precision: Precision;
}

/** Opening of a model, while it goes on; the open one stays until it has succeeded. */
export interface Opening extends ModelRequest {
  readonly progress: PhaseProgress | undefined;
  readonly cancelling: boolean;
}

/** Why a model was not opened, or a name not found, or the cache not read; worded for the Model station. */
export interface ModelProblem {
  readonly title: string;
  readonly message: string;
  /** What still holds. */
  readonly stillHolds: string;
  /** What to try again. */
  readonly retry: ModelRequest | undefined;
}

/** The form for a model from the Hub, and what was found there. */
export interface HubForm {
  readonly name: string;
  readonly revision: string;
  /** The name is being looked up. */
  readonly looking: boolean;
  /** What was found, with the request that found it. */
  readonly found: { readonly request: HubRequest; readonly info: HubInfo } | undefined;
}

/** What a trial allocation found, for the run and the model it was made with. */
export interface FitCheck {
  readonly config: RunConfig;
  readonly model: ModelSummary | undefined;
  readonly fit: Fit;
}

/** The files of the run that was exported last. */
export interface Exported {
  readonly run: RunId;
  readonly state: 'writing' | 'done' | 'failed' | 'cancelled';
  /** Writing, then reading back, while they go on. */
  readonly progress: PhaseProgress | undefined;
  /** The folder of this machine that it went into, if it was not a zip. */
  readonly folder: string | undefined;
  readonly options: ExportOptions;
  readonly result: ExportResult | undefined;
  readonly message: string | undefined;
}

export interface LabState {
  readonly connection: Connection;
  /** Why the connection failed. */
  readonly connectionMessage: string | undefined;
  readonly diagnosis: Diagnosis | undefined;
  /** Loading of the built-in model when the page starts. */
  readonly loading: PhaseProgress | undefined;
  readonly model: ModelSummary | undefined;
  readonly opening: Opening | undefined;
  /** Opening this would let runs go that the browser could not keep, which is asked first. */
  readonly confirming: ModelRequest | undefined;
  readonly modelProblem: ModelProblem | undefined;
  /** What became of an opening that was cancelled. */
  readonly modelNotice: string | undefined;
  readonly hub: HubForm;
  /** The cache of downloaded models, once it has been looked at. */
  readonly storage: StorageReport | undefined;
  /** Data and models from files that this browser keeps, once they have been looked at. */
  readonly keptFiles: readonly KeptFile[];
  readonly keptBases: readonly KeptBases[];
  /** The hub has been asked for something since the page was loaded. */
  readonly hubAsked: boolean;
  readonly datasets: Readonly<Partial<Record<DatasetRole, DatasetSummary>>>;
  /** The run being edited: the next one to start. */
  readonly config: RunConfig;
  /** How each method was last set, so that switching back finds it again. */
  readonly memory: MethodMemory;
  /** How LoRA was last set, so that switching back finds it again. */
  readonly lora: LoraConfig;
  readonly estimate: Estimate | undefined;
  readonly estimating: boolean;
  readonly fitCheck: FitCheck | undefined;
  /** Bytes at which a trial allocation has stopped here, the lowest. */
  readonly memoryLimit: number;
  /** In the order of their start. */
  readonly runs: readonly LabRun[];
  /** What the browser keeps beside the logs of the runs, once it has been asked. */
  readonly kept: KeptRuns;
  /** Runs that are made one after the other. */
  readonly queue: QueueState;
  /** The run that figures draw strongest: the live one, or the one chosen in the run list. */
  readonly selectedRun: RunId | undefined;
  /** A start was asked for and not answered yet. */
  readonly starting: boolean;
  /** What the live run was asked to do and has not done yet: it obeys between two steps, and after an evaluation that is going on. */
  readonly asked: 'pause' | 'keep' | 'discard' | undefined;
  readonly recording: Recording;
  readonly fileProblem: FileProblem | undefined;
  readonly importing: Importing | undefined;
  /** What became of an import that was cancelled. */
  readonly importNotice: string | undefined;
  /** Why the last start, pause or stop did not work. */
  readonly runProblem: string | undefined;
  /** What the graphics device reported outside a request. */
  readonly deviceProblem: string | undefined;
  readonly playground: Playground;
  readonly evaluation: EvaluationState;
  /** What was measured on demand beside the drift that runs record. */
  readonly probes: ProbesState;
  readonly exported: Exported | undefined;
  readonly tab: TabId;
  readonly station: StationId | undefined;
  readonly sheet: Sheet | undefined;
  readonly theme: Theme;
  /** Single-letter shortcuts are on. */
  readonly letterKeys: boolean;
  /** Requests to other hosts that the browser has seen or refused since the page was loaded. */
  readonly outsideRequests: number;
}

export const initialState: LabState = {
  connection: 'connecting',
  connectionMessage: undefined,
  diagnosis: undefined,
  loading: undefined,
  model: undefined,
  opening: undefined,
  confirming: undefined,
  modelProblem: undefined,
  modelNotice: undefined,
  hub: { name: '', revision: 'main', looking: false, found: undefined },
  storage: undefined,
  keptFiles: [],
  keptBases: [],
  hubAsked: false,
  datasets: {},
  config: defaultConfig,
  memory: {},
  lora: defaultLora,
  estimate: undefined,
  estimating: false,
  fitCheck: undefined,
  memoryLimit: Infinity,
  runs: [],
  kept: {},
  queue: { items: [], running: false },
  selectedRun: undefined,
  starting: false,
  asked: undefined,
  recording: { status: 'none' },
  fileProblem: undefined,
  importing: undefined,
  importNotice: undefined,
  runProblem: undefined,
  deviceProblem: undefined,
  playground: { prompt: '', source: undefined, sampling: defaultSampling, columns: undefined, reference: 'base', asking: false, trials: [] },
  evaluation: initialEvaluation,
  probes: initialProbes,
  exported: undefined,
  tab: 'train',
  station: undefined,
  sheet: undefined,
  theme: 'system',
  letterKeys: true,
  outsideRequests: 0,
};

/** The store. In components `useLab((state) => state.config)`, elsewhere `useLab.getState()`. */
export const useLab = create<LabState>()(() => initialState);

const { setState: set, getState: get } = useLab;

/** The run that is preparing, running or paused. There is at most one. */
export const selectLiveRun = (state: LabState): LabRun | undefined => state.runs.find(isLive);

/** The run that figures draw strongest and sentences speak of. */
export const selectRun = (state: LabState): LabRun | undefined => state.runs.find((run) => run.id === state.selectedRun) ?? state.runs.at(-1);

/** The first run of this browser has not been started, and model and data are those of the page: it opens with its one button. */
export const selectWelcome = (state: LabState): boolean =>
  (state.connection === 'connecting' || state.connection === 'loading' || state.connection === 'ready') &&
  !state.starting &&
  state.runs.every((run) => run.recorded) &&
  state.model?.source !== 'files' &&
  state.model?.source !== 'hub' &&
  state.datasets.train?.origin !== 'file';

/** What does not fit, as long as run and model are those that were tried. */
export const selectMisfit = ({ fitCheck, config, model }: LabState): Extract<Fit, { fits: false }> | undefined =>
  fitCheck !== undefined && !fitCheck.fit.fits && fitCheck.config === config && fitCheck.model === model ? fitCheck.fit : undefined;

/** The runs to draw, the selected one last so that it lies on top. */
export function useVisibleRuns(): readonly LabRun[] {
  return useLab(
    useShallow((state) => {
      const selected = selectRun(state);
      return [...state.runs.filter((run) => run.visible && run !== selected), ...(selected?.visible ? [selected] : [])];
    }),
  );
}

/** Shows a view, which nothing lies over then. */
export const showTab = (tab: TabId): void => set({ tab, sheet: undefined });

/** Opens a station, or closes it when it is open. */
export const toggleStation = (station: StationId): void => set({ station: get().station === station ? undefined : station });

export const openStation = (station: StationId): void => set({ station });

export const openSheet = (sheet: Sheet): void => set({ sheet });

export const closeSheet = (): void => set({ sheet: undefined });

/** Changes the run being edited. */
export const editConfig = (change: Partial<RunConfig>): void => set(({ config }) => ({ config: { ...config, ...change } }));

/** Switches the method and brings back how it was last set. One that holds no directions has its spectrum measured in those of RPSFT. */
export const chooseMethod = (method: MethodId): void =>
  set(({ config, memory, model }) => {
    const remembered = remember(memory, config);
    const settings = (id: MethodId): MethodSettings => remembered[memoryKey(id)] ?? pickSettings(usualConfig(model, { method: id }));
    return { memory: remembered, config: switchMethod({ ...supervised(config, model), rankFraction: settings('rpsft').rankFraction }, settings(method)) };
  });

/** Makes the run being edited a supervised one again. */
export const superviseRun = (): void => set(({ config, model }) => ({ config: supervised(config, model) }));

/** Puts a penalty beside the objective, as it was last set there, or takes it away. */
export const holdBeside = (penalty: PenaltyId | undefined): void =>
  set(({ config, memory, model }) => {
    const { penalty: _before, ...rest } = config;
    const remembered = remember(memory, config);
    if (penalty === undefined) return { memory: remembered, config: { ...rest, lambda: 0 } };
    const { lambda, rankFraction } = remembered[memoryKey(config.method, penalty)] ?? usualConfig(model, { method: config.method, penalty });
    return { memory: remembered, config: { ...rest, penalty, lambda, rankFraction } };
  });

/** Trains all weights or adapters; brings back how LoRA was last set, and moves a learning rate that nobody has touched. */
export const trainLora = (on: boolean): void =>
  set(({ config, lora, model }) => {
    if (on === (config.lora !== undefined)) return {};
    const { lora: kept, ...full } = config;
    const wanted = on ? loraForModel(lora, model ?? { linears: [] }) : undefined;
    const moved = moveUsual(full, usualConfig(model, { ...config, lora: kept }), usualConfig(model, { ...config, lora: wanted }));
    return { config: wanted === undefined ? moved : { ...moved, lora: wanted }, lora: kept ?? lora };
  });

/** Changes the adapters of the run being edited. */
export const editLora = (change: Partial<LoraConfig>): void =>
  set(({ config }) => (config.lora === undefined ? {} : { config: { ...config, lora: { ...config.lora, ...change } } }));

/** Starts the run being edited from the weights of another run, or from the model. */
export const startRunFrom = (id: RunId | undefined): void =>
  set(({ config: { startFrom: _before, ...config }, runs }) => {
    if (id === undefined) return { config };
    const from = runs.find((run) => run.id === id);
    // GRPO bears the name of what it starts from.
    return { config: { ...(config.reinforce === undefined || from === undefined ? config : switchMethod(config, pickSettings(from.config))), startFrom: id } };
  });

/** Draws a run in the figures or leaves it out. */
export const showRun = (id: RunId, visible: boolean): void => set(({ runs }) => ({ runs: runs.map((run) => (run.id === id ? { ...run, visible } : run)) }));

/** Draws a run strongest, and shows it if it was hidden. */
export const selectRunById = (id: RunId): void => {
  showRun(id, true);
  set({ selectedRun: id });
};

export const dismissFileProblem = (): void => set({ fileProblem: undefined });
