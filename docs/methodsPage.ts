/**
 * @file The methods as a page of documentation, written from the registry that the page and the runner read:
 *
 *     node scripts/run.mjs docs/methods.ts
 *
 * A unit test holds docs/methods.md to it.
 */
import type { MethodInfo, MethodParameter } from '../src/methods/registry.ts';
import { METHODS } from '../src/methods/registry.ts';

const formulaBlock = (latex: string): string => `\`\`\`math\n${latex}\n\`\`\``;

const number = (value: number): string => (value !== 0 && value < 0.001 ? value.toExponential() : value.toLocaleString('en-GB', { maximumFractionDigits: 6 }));

/** A row of the table of parameters. */
function parameterRow(parameter: MethodParameter): string {
  const { id, name, description } = parameter;
  if (parameter.kind === 'flag') return `| ${name} | \`${id}\` | ${parameter.default ? 'on' : 'off'} | on or off | ${description} |`;
  const { symbol, least, most, scale, unit } = parameter;
  return `| ${name} ${symbol} | \`${id}\` | ${number(parameter.default)}${unit && ` ${unit}`} | ${number(least)} to ${number(most)}${scale === 'log' ? ', log scale' : ''} | ${description} |`;
}

function section({ id, name, summary, explanation, objective, penalty, parameters, formula, adapterFormula, source, needsReference, adapters, cost }: MethodInfo): string {
  const facts = [
    `- Source: ${source.url ? `[${source.title}](${source.url})` : source.title}, ${source.authors}.`,
    `- Objective \`${objective}\`${penalty ? `, penalty \`${penalty}\`` : '; takes a penalty beside it'.repeat(Number(id !== 'sft'))}.`,
    `- Trains ${adapters ? 'all weights or LoRA adapters' : 'all weights only'}.${needsReference ? ' Runs the pretrained model beside the one that is trained.' : ''}`,
    `- Cost beyond a step of SFT: ${cost}.`,
  ];
  const table = parameters.length === 0 ? [] : ['| parameter | setting | default | range | what it does |\n|---|---|---|---|---|', ...parameters.map(parameterRow)];
  const adapterPart = adapterFormula ? `\n\nOver adapters:\n\n${formulaBlock(adapterFormula.latex)}` : '';
  return `## ${name}\n\n${summary}. ${explanation}\n\n${formulaBlock(formula.latex)}${adapterPart}\n\n${facts.join('\n')}${table.length > 0 ? `\n\n${table.join('\n')}` : ''}\n`;
}

/** The text of docs/methods.md. */
export function methodsPage(): string {
  const groups = [false, true].map((control) => METHODS.filter((method) => method.control === control));
  const list = (methods: readonly MethodInfo[]): string => methods.map(({ name }) => name).join(', ');
  return `# Methods

Written from the registry (\`src/methods/registry.ts\`) by \`node scripts/run.mjs docs/methods.ts\`; the page and the runner read the same.

A method is an objective on the data with a penalty on the weights, or without. Methods: ${list(groups[0]!)}. Controls, which show what another method is worth: ${list(groups[1]!)}.
Any penalty goes beside DFT, IW-SFT and KL-SFT too (\`penalty\`, with its own parameters).

\`p_t\` is the probability of token t under the model that is trained, \`q_t\` under the pretrained one, N the number of trained tokens of a batch, \`W0\` a pretrained matrix, \`W\` the same now; sums over W run over all matrices that are trained. sg() is
not differentiated. Defaults are for the built-in model and all weights. A matrix has m × n numbers, a step T tokens. What the penalties hold and what they leave free, measured: [study](study.md).

${METHODS.map(section).join('\n')}`;
}
