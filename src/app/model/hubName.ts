/** @file What a person writes or pastes to name a model on the Hub, read into a request. Pure, with tests. */
import type { HubRequest } from '../../worker/protocol.ts';

const hubHosts: readonly string[] = ['huggingface.co', 'www.huggingface.co', 'hf.co'];

/** Names as the Hub allows them: letters, digits, hyphen, underscore and dot, not starting with a dot. */
const part = /^[\w-][\w.-]*$/;

const howToWrite = 'Write it as owner/name, such as HuggingFaceTB/SmolLM2-135M, or paste the address of its page.';

/** Models to begin with, small enough for a browser; the smallest first. */
export const suggestedModels: readonly string[] = [
  'HuggingFaceTB/SmolLM2-135M',
  'HuggingFaceTB/SmolLM2-135M-Instruct',
  'openai-community/gpt2',
  'EleutherAI/pythia-160m',
  'Qwen/Qwen2.5-0.5B',
  'Qwen/Qwen3-0.6B',
];

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** The address a name starts with, if it is one: `huggingface.co/owner/name` counts too. */
function addressOf(text: string): URL | undefined {
  const written = /^https?:\/\//i.test(text) ? text : hubHosts.some((host) => text.toLowerCase().startsWith(`${host}/`)) ? `https://${text}` : undefined;
  return written !== undefined && URL.canParse(written) ? new URL(written) : undefined;
}

/**
 * Reads `owner/name`, `owner/name@revision`, or an address such as `https://huggingface.co/owner/name/tree/main`; a revision in it is preferred to
 * `revision`, the field beside the name. Another host than the Hub's own, such as a mirror, is kept.
 */
export function parseHubName(text: string, revision: string): HubRequest | { readonly problem: string } {
  const trimmed = text.trim();
  if (trimmed === '') return { problem: `No name is given. ${howToWrite}` };
  const address = addressOf(trimmed);
  const [path = '', written] = address === undefined ? trimmed.split('@', 2) : [address.pathname];
  const [owner, name, view, ...rest] = path.split('/').filter(Boolean).map(decode);
  if (address !== undefined && (owner === 'datasets' || owner === 'spaces')) return { problem: `This is the address of a ${owner === 'datasets' ? 'dataset' : 'space'}, not of a model. ${howToWrite}` };
  if (owner === undefined || name === undefined || !part.test(owner) || !part.test(name)) return { problem: `"${trimmed}" does not name a model. ${howToWrite}` };
  if (address === undefined && view !== undefined) return { problem: `"${trimmed}" has more than an owner and a name. ${howToWrite}` };
  // A branch may hold slashes, which an address ends with a file for; the first part is what the Hub itself links to.
  const inAddress = view === 'tree' || view === 'blob' || view === 'resolve' || view === 'commit' ? rest[0] : undefined;
  const chosen = inAddress ?? (written?.trim() || revision.trim() || 'main');
  if (/[\s?#\\]/.test(chosen) || chosen.includes('..')) return { problem: `"${chosen}" is no branch, tag or commit. Leave the revision at main for the latest.` };
  const isOther = address !== undefined && !hubHosts.includes(address.hostname);
  return { repo: `${owner}/${name}`, revision: chosen, ...(isOther ? { host: address.origin } : {}) };
}
