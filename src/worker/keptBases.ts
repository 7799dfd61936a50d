/**
 * @file The singular bases that this browser keeps of models, so that a model is decomposed once and not in every visit. They take room that nothing else
 * needs; whatever goes wrong with them, a run decomposes as if they were not there.
 */
import type { AskedBases, BasesKeeper, KeptBasesFile } from '../engine.ts';
import { Sha256 } from '../formats/sha256.ts';
import type { CachedFile } from '../storage/cacheStore.ts';
import { CacheStore } from '../storage/cacheStore.ts';
import type { Directory } from '../storage/directory.ts';
import type { KeptBases, Precision } from './protocol.ts';
import type { SessionServices } from './services.ts';

/** What a file of bases is known by. */
interface AboutBases extends Omit<AskedBases, 'names'> {
  /** What the page calls the model. */
  readonly name: string;
  readonly precision: Precision;
  /** Names of the matrices; absent for all. */
  readonly names?: readonly string[];
}

/** A model that is open. */
interface NamedModel {
  readonly name: string;
  readonly precision: Precision;
  /** `modelKey` of its files. */
  readonly key: string;
}

export class BasesLibrary {
  #store: Promise<CacheStore<AboutBases>> | undefined;

  /** @param openDirectory opens a folder that stays between visits, by name */
  constructor(private readonly openDirectory: (name: 'bases') => Promise<Directory>) {}

  /** What keeps the bases of a model. */
  keeperOf({ name, precision, key }: NamedModel): BasesKeeper {
    // Rounded weights are other weights.
    const model = `${key} ${precision}`;
    return {
      model,
      find: (asked) => this.#ifKept((store) => find(store, asked)),
      keep: async (asked, bytes, pieces) => {
        const about: AboutBases = { model, rankFraction: asked.rankFraction, route: asked.route, seed: asked.seed, name, precision, ...(asked.names ? { names: [...asked.names].toSorted() } : {}) };
        await (await this.#open()).keep(idOf(about), about, bytes, pieces);
      },
    };
  }

  /** All that is kept, the last used first. */
  async list(): Promise<readonly KeptBases[]> {
    const files = (await this.#ifKept((store) => store.list())) ?? [];
    return files.map(({ id, about: { name, precision, rankFraction, names }, bytes, lastUse }) => ({
      key: id,
      name,
      precision,
      rankFraction,
      bytes,
      lastUsed: new Date(lastUse).toISOString(),
      ...(names ? { matrices: names.length } : {}),
    }));
  }

  /** Deletes bases. Those on the device stay, and whoever is reading these now decomposes. @param key as `list` has it */
  async forget(key: string): Promise<void> {
    await (await this.#open()).remove(key);
  }

  /** Lets bases go for what else is to be written (Directory.makeRoom). */
  async makeRoom(bytes: number): Promise<void> {
    await this.#ifKept((store) => store.makeRoom(bytes));
  }

  async #open(): Promise<CacheStore<AboutBases>> {
    this.#store ??= this.openDirectory('bases').then((directory) => CacheStore.open<AboutBases>(directory, () => new Sha256()));
    try {
      return await this.#store;
    } catch (error) {
      this.#store = undefined;
      throw error;
    }
  }

  /** Where the browser stores nothing, or the disk does not answer, there are none. */
  async #ifKept<T>(work: (store: CacheStore<AboutBases>) => Promise<T>): Promise<T | undefined> {
    try {
      return await work(await this.#open());
    } catch {
      return undefined;
    }
  }
}

/** Opens folders for whose files bases go where there is no room for both. */
export function roomFor(openDirectory: SessionServices['openDirectory'], bases: BasesLibrary): SessionServices['openDirectory'] {
  const makeRoom = (bytes: number): Promise<void> => bases.makeRoom(bytes);
  return async (name) => Object.create(await openDirectory(name), { makeRoom: { value: makeRoom } }) as Directory;
}

const idOf = (about: AboutBases): string => new Sha256().update(new TextEncoder().encode(JSON.stringify(about))).hex();

async function find(store: CacheStore<AboutBases>, asked: AskedBases): Promise<KeptBasesFile | undefined> {
  const found = (await store.list()).find(({ about }) => serves(about, asked));
  const file = found && (await store.use(found));
  return file && { file, sha256: found.sha256, refuse: () => store.remove(found.id) };
}

/** Bases of more matrices serve those that ask for a part of them. */
function serves({ model, rankFraction, route, seed, names }: CachedFile<AboutBases>['about'], asked: AskedBases): boolean {
  if (model !== asked.model || rankFraction !== asked.rankFraction || route !== asked.route || seed !== asked.seed) return false;
  if (names === undefined) return true;
  const has = new Set(names);
  return asked.names !== undefined && [...asked.names].every((name) => has.has(name));
}
