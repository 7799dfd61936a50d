/**
 * @file The report as one file: HTML with its styles inside, no script, nothing from elsewhere. Its own policy allows the one style sheet by its hash and
 * nothing else, so that the file cannot fetch anything even if a name in it were markup.
 */
import { createElement, type ReactElement } from 'react';
import { plainText } from '../charts/Phrases.tsx';
import { compare } from '../compare/comparison.ts';
import { comparisonFinding } from '../compare/findings.ts';
import tokens from '../tokens.css?raw';
import styles from './report.css?raw';
import { Report, type ReportData } from './Report.tsx';

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
}

/** The whole file. `render` turns elements into markup: renderStatic in a page, renderToStaticMarkup of react-dom/server in Node. */
export async function reportPage(data: ReportData, render: (element: ReactElement) => string): Promise<string> {
  const style = `${tokens}\n${styles}`;
  const policy = `default-src 'none'; style-src '${await hashOf(style)}'; base-uri 'none'; form-action 'none'`;
  const title = plainText(comparisonFinding(compare(data.groups, data.kept)).line);
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="dark light">',
    `<title>${escaped(title)}</title>`,
    `<style>${style}</style>`,
    '</head>',
    `<body>${render(createElement(Report, data))}</body>`,
    '</html>',
    '',
  ].join('\n');
}
