/** @file What there is of WebGPU here, for the page and as text for a bug report. */
import { GpuUnavailableError } from '../engine.ts';
import type { AdapterFacts } from '../gpu/device.ts';
import type { Diagnosis } from './protocol.ts';

/** A diagnosis from the facts of an adapter, or from the reason why there is none. */
export function diagnose(found: AdapterFacts | GpuUnavailableError): Diagnosis {
  const browser = globalThis.navigator?.userAgent ?? 'unknown browser';
  if (found instanceof GpuUnavailableError) {
    return { problem: { code: found.problem, message: found.message }, report: [`problem: ${found.problem}`, found.message, `browser: ${browser}`].join('\n') };
  }
  const { description, software, features, limits, vendor, architecture } = found;
  const lines = [`adapter: ${description}`, `vendor: ${vendor}`, `architecture: ${architecture}`, `software: ${software}`, `features: ${features.join(', ')}`];
  return {
    adapter: { name: description, software, features, limits },
    report: [...lines, ...Object.entries(limits).map(([name, value]) => `${name}: ${value}`), `browser: ${browser}`].join('\n'),
  };
}
