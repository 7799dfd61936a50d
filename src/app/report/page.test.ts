import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { groupRuns, type KeptRun } from '../compare/groups.ts';
import { runOf } from '../compare/testing.ts';
import { reportPage } from './page.ts';

const end = (outOfDomain: number): readonly (readonly [number, number])[] => [[0, 0.95], [0.4, 0.9], [0.9, outOfDomain]];
const runs = [
  ...[1, 2, 3].map((seed) => runOf({ method: 'rpsft', seed, lambda: 10 }, end(0.8 - seed / 100))),
  ...[1, 2, 3].map((seed) => runOf({ method: 'sft', seed, lambda: 0 }, end(0.5 - seed / 100))),
  runOf({ method: 'l2sp', seed: 1, lambda: 1 }, [[0, 0.95], [0, 0.94]], { state: 'failed', message: 'The device was lost.' }),
];
const hash = 'ab12'.repeat(16);
const facts = (name?: string): KeptRun => ({ notes: { tags: ['pilot'], pinned: false, ...(name === undefined ? {} : { name }) }, environment: { adapter: 'An adapter', browser: 'A browser 1', dataHashes: { 'held-out.jsonl': hash } }, bytes: 10, hasWeights: true });

const write = (name?: string): Promise<string> => {
  const kept = Object.fromEntries(runs.map(({ id }, index) => [id, facts(index === 0 ? name : undefined)]));
  return reportPage({ groups: groupRuns(runs, [], kept), kept, selected: undefined, frame: 'near', reference: undefined, model: 'Built-in model', date: new Date('2026-03-01T12:00:00Z') }, renderToStaticMarkup);
};

describe('reportPage', () => {
  it('refers to nothing outside the file and runs nothing', async () => {
    const page = await write();
    const body = page.slice(page.indexOf('<body>'));
    expect(body).not.toMatch(/<(?:script|link|img|iframe|object|embed|base|form|a|use|image|foreignObject)\b/i);
    expect(page).not.toMatch(/<(?:script|link|base)\b/i);
    expect(page).not.toMatch(/\b(?:src|href|xlink:href|srcset|action|style|on[a-z]+)\s*=/i);
    expect(page).not.toMatch(/url\(|@import|https?:|\/\/[a-z]/i);
  });

  it('allows its own style sheet by hash and nothing else', async () => {
    const page = await write();
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style)));
    expect(page).toContain(`content="default-src 'none'; style-src 'sha256-${Buffer.from(digest).toString('base64')}'; base-uri 'none'; form-action 'none'"`);
    expect(page.match(/<style>/g)).toHaveLength(1);
    expect(style).toContain('--series-rpsft: light-dark(');
  });

  it('opens with the finding and holds figures, tables, settings, environment and hashes', async () => {
    const page = await write();
    expect(page).toMatch(/<h1>At 81% in-domain, RPSFT keeps 80\.2% out-of-domain, SFT 55\.6%\.<\/h1>/);
    expect(page).toContain('RPSFT is ahead at this level.');
    expect(page.match(/<svg class="drawing"/g)).toHaveLength(4);
    for (const title of ['Gain against forgetting', 'Kept at equal gain', 'In-domain accuracy', 'Out-of-domain accuracy', 'Training loss', 'Runs', 'What differs']) expect(page).toContain(`<b>${title}</b>`);
    for (const text of [hash, 'An adapter', 'A browser 1', 'failed: The device was lost.', 'The same in all:', 'Tags: pilot', '&quot;learningRate&quot;: 0.0005']) expect(page).toContain(text);
  });

  it('writes a name that is markup as text', async () => {
    const page = await write('<img src=x onerror=alert(1)>');
    expect(page).not.toContain('<img');
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });
});
