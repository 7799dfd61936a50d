/** @file What a diagnosis means for a person: which parts are there, which one is missing, and what can be done about it. Pure, with tests. */
import type { Diagnosis } from '../../worker/protocol.ts';
import { formatMebibytes } from '../format.ts';

type Code = NonNullable<Diagnosis['problem']>['code'];

export interface PartCheck {
  readonly name: string;
  readonly verdict: 'ok' | 'bad' | 'unknown';
  readonly finding: string;
}

/** The parts in the order in which a page asks for them. */
const order: readonly Code[] = ['no-webgpu', 'no-adapter', 'limits-too-small', 'no-device'];

const parts: Readonly<Record<Code, { readonly name: string; readonly missing: string; readonly present: string }>> = {
  'no-webgpu': { name: 'navigator.gpu', missing: 'missing', present: 'present' },
  'no-adapter': { name: 'Adapter', missing: 'null from requestAdapter()', present: 'found' },
  'limits-too-small': { name: 'Limits', missing: 'too small for the built-in model', present: 'large enough' },
  'no-device': { name: 'Device', missing: 'refused by requestDevice()', present: 'opened' },
};

/** What is there, what is missing, and what cannot be known without the missing part. */
export function partChecks({ problem, adapter }: Diagnosis): readonly PartCheck[] {
  const failing = problem === undefined ? order.length : order.indexOf(problem.code);
  const checks = order.map((code, index): PartCheck => {
    const { name, missing, present } = parts[code];
    if (index > failing) return { name, verdict: 'unknown', finding: 'not known without it' };
    if (index === failing) return { name, verdict: 'bad', finding: missing };
    if (code === 'no-adapter' && adapter !== undefined) return { name, verdict: 'ok', finding: `${adapter.name}${adapter.software ? ', computes on the processor' : ''}` };
    return { name, verdict: 'ok', finding: present };
  });
  const binding = adapter?.limits['maxStorageBufferBindingSize'];
  return [
    ...checks,
    ...(binding === undefined ? [] : [{ name: 'Largest binding', verdict: 'ok', finding: formatMebibytes(binding) } as const]),
    {
      name: 'shader-f16',
      verdict: 'unknown',
      finding: adapter === undefined ? 'not known; optional, f32 works without' : adapter.features.includes('shader-f16') ? 'present' : 'missing; optional, f32 works without',
    },
  ];
}

/** The sentence the page opens with. */
export function headline(problem: Diagnosis['problem']): string {
  switch (problem?.code) {
    case 'no-webgpu':
      return 'This browser has no WebGPU to train with.';
    case 'no-adapter':
      return 'This browser has no graphics adapter to train on.';
    case 'limits-too-small':
      return 'This graphics adapter is too small to train on.';
    case 'no-device':
      return 'This graphics adapter could not be opened.';
    case undefined:
      return 'The engine of this page did not start.';
  }
}

const everywhere = ['In Chrome, open chrome://gpu: it says whether WebGPU is on and, if not, why. Then update the graphics driver.'];

const remedies: Readonly<Record<Code, readonly string[]>> = {
  'no-webgpu': [
    'Use a current Chrome, Edge or Chromium on a computer: WebGPU is on there by default.',
    'Open the page over https or from localhost: browsers offer WebGPU nowhere else.',
    ...everywhere,
  ],
  'no-adapter': [
    'Open chrome://settings/system, turn on graphics acceleration, and restart the browser.',
    ...everywhere,
    'On Linux, Vulkan may be off: turn on chrome://flags/#enable-vulkan and chrome://flags/#enable-unsafe-webgpu.',
  ],
  'limits-too-small': ['If the computer has a second graphics card, set the browser to use it.', ...everywhere],
  'no-device': ['Close other pages that use the graphics card, then check again.', 'Restart the browser: after several crashes it stops opening devices.', ...everywhere],
};

/** What a person can do, the most likely first. */
export const whatToDo = (problem: Diagnosis['problem']): readonly string[] =>
  problem === undefined ? ['Load the page again.', 'If that does not help, look into the console of the browser for what was refused.'] : remedies[problem.code];
