/**
 * @file A server laid out like the Hugging Face Hub, for tests: listings under /api/models, files under /{repo}/resolve/{commit}, large ones redirected
 * to a second origin that, like the real storage, answers no CORS preflight. It misbehaves on request.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubRepo {
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Listed for everyone, files for nobody. */
  readonly gated?: boolean;
}

/** What happens once to the next request of a file, or always. */
export type Fault =
  /** The connection is destroyed after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly after: number }
  | { readonly kind: 'status'; readonly status: number }
  /** A byte of the body is another. */
  | { readonly kind: 'flip' }
  /** The body is longer than the listing says. */
  | { readonly kind: 'longer' }
  /** The body ends early, and the answer says so. */
  | { readonly kind: 'shorter' }
  /** Range is not understood: the whole file comes, as 200. */
  | { readonly kind: 'no-range'; readonly always: true }
  /** Another part than the one asked for comes, as 206. */
  | { readonly kind: 'wrong-range' }
  /** So many bytes every 10 ms. */
  | { readonly kind: 'trickle'; readonly bytes: number };

export interface SeenRequest {
  /** Of the file in its repository, or of the listing. */
  readonly path: string;
  readonly range: string | undefined;
  readonly referrer: string | undefined;
}

export interface HubServer {
  readonly url: string;
  /** The second origin, of large files. */
  readonly storageUrl: string;
  /** Everything asked for so far, redirects counted once. */
  readonly requests: SeenRequest[];
  /** Breaks the next answer for a path, or every one. */
  fail(path: string, fault: Fault): void;
  /** Another state of a repository, under a new commit. */
  publish(repo: string, contents: HubRepo): void;
  /** Forgets what was asked and mends everything. */
  reset(): void;
  close(): Promise<void>;
}

/** As on the Hub, where .gitattributes sends weights to the large file storage. */
const isLarge = (path: string): boolean => path.endsWith('.safetensors') || path.endsWith('.bin');
const bytesOf = (contents: Uint8Array | string): Uint8Array => (typeof contents === 'string' ? new TextEncoder().encode(contents) : contents);
const hash = (name: 'sha1' | 'sha256', ...parts: (Uint8Array | string)[]): string => parts.reduce((sum, part) => sum.update(part), createHash(name)).digest('hex');

/** A commit is a hash of the repository's name and files, so that it is the same in every run. */
export const commitOf = (repo: string, { files }: HubRepo): string => hash('sha1', repo, ...Object.entries(files).flat());

export async function startHub(repos: Readonly<Record<string, HubRepo>>): Promise<HubServer> {
  const commits = new Map<string, { repo: string; contents: HubRepo }>();
  const branches = new Map<string, string>();
  const faults = new Map<string, Fault>();
  const requests: SeenRequest[] = [];
  const publish = (repo: string, contents: HubRepo): void => {
    const commit = commitOf(repo, contents);
    commits.set(commit, { repo, contents });
    branches.set(repo, commit);
  };
  for (const [repo, contents] of Object.entries(repos)) publish(repo, contents);

  const storage = await listen((request, response) => {
    // Like the real storage: a request that needs a preflight fails.
    if (request.method === 'OPTIONS') return end(response, 403);
    const [, commit = '', path = ''] = /^\/([0-9a-f]{40})\/(.+)$/u.exec(decodeURIComponent(request.url!))!;
    return sendFile(request, response, bytesOf(commits.get(commit)!.contents.files[path]!), takeFault(path));
  });
  const hub = await listen((request, response) => {
    const url = decodeURIComponent(request.url!);
    const listing = /^\/api\/models\/(.+?)\/revision\/([^?]+)\?blobs=true$/u.exec(url);
    const resolve = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/u.exec(url);
    const [, repo = '', revision = ''] = listing ?? resolve ?? [];
    requests.push({ path: listing ? 'listing' : (resolve?.[3] ?? url), range: request.headers.range, referrer: request.headers.referer });
    // The Hub tells nobody which private repositories there are.
    if (!branches.has(repo)) return end(response, 401, 'RepoNotFound');
    const commit = revision === 'main' ? branches.get(repo)! : revision;
    const found = commits.get(commit);
    if (found?.repo !== repo) return end(response, 404, 'RevisionNotFound');
    const { files, gated } = found.contents;
    if (listing) return sendListing(response, repo, commit, found.contents, takeFault('listing'));
    if (gated === true) return end(response, 401, 'GatedRepo');
    const path = resolve![3]!;
    const contents = files[path];
    if (contents === undefined) return end(response, 404, 'EntryNotFound');
    if (!isLarge(path)) return sendFile(request, response, bytesOf(contents), takeFault(path));
    response.writeHead(302, { ...cors, Location: `${addressOf(storage)}/${commit}/${encodeURIComponent(path)}` });
    return response.end();
  });

  function takeFault(path: string): Fault | undefined {
    const fault = faults.get(path);
    if (fault?.kind !== 'no-range') faults.delete(path);
    return fault;
  }

  return {
    url: addressOf(hub),
    storageUrl: addressOf(storage),
    requests,
    fail: (path, fault) => void faults.set(path, fault),
    publish,
    reset: () => {
      requests.length = 0;
      faults.clear();
    },
    close: async () => {
      for (const server of [hub, storage]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'X-Error-Code, ETag, Content-Range, Accept-Ranges' };

function sendListing(response: ServerResponse, repo: string, commit: string, { files, gated }: HubRepo, fault: Fault | undefined): void {
  if (fault?.kind === 'status') return end(response, fault.status);
  const siblings = Object.entries(files).map(([rfilename, contents]) => {
    const bytes = bytesOf(contents);
    const blobId = hash('sha1', `blob ${bytes.length}\0`, bytes);
    return { rfilename, size: bytes.length, blobId, ...(isLarge(rfilename) ? { lfs: { sha256: hash('sha256', bytes), size: bytes.length, pointerSize: 134 } } : {}) };
  });
  response.writeHead(200, { ...cors, 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ id: repo, sha: commit, gated: gated === true ? 'manual' : false, siblings }));
}

function sendFile(request: IncomingMessage, response: ServerResponse, whole: Uint8Array, fault: Fault | undefined): void {
  if (fault?.kind === 'status') return end(response, fault.status);
  const start = fault?.kind === 'no-range' ? 0 : Number(/^bytes=(\d+)-$/u.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start > 0 && start >= whole.length) return end(response, 416);
  const sent = fault?.kind === 'wrong-range' ? start - 1 : start;
  let body = whole.slice(sent);
  if (fault?.kind === 'flip') body[body.length >> 1]! ^= 1;
  if (fault?.kind === 'longer') body = Buffer.concat([body, Uint8Array.of(1, 2, 3)]);
  if (fault?.kind === 'shorter') body = body.slice(0, -3);
  const range = start > 0 ? { 'Content-Range': `bytes ${sent}-${whole.length - 1}/${whole.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { ...cors, ...range, 'Content-Length': body.length, 'Accept-Ranges': 'bytes', ETag: `"${hash('sha256', whole)}"` });
  if (fault?.kind === 'cut') {
    response.write(body.subarray(0, fault.after), () => setTimeout(() => response.destroy(), 20));
  } else if (fault?.kind === 'trickle') {
    let at = 0;
    const timer = setInterval(() => {
      if (at >= body.length || response.destroyed) {
        clearInterval(timer);
        response.end();
        return;
      }
      response.write(body.subarray(at, at + fault.bytes));
      at += fault.bytes;
    }, 10);
  } else {
    response.end(body);
  }
}

function end(response: ServerResponse, status: number, code?: string): void {
  response.writeHead(status, { ...cors, ...(code === undefined ? {} : { 'X-Error-Code': code }) });
  response.end();
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(answer);
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return server;
}

const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
