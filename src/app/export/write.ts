/** @file Writes the files of a run and hands them to the browser, if reading them back has found nothing wrong. */
import type { ExportResult, RunId } from '../../worker/protocol.ts';
import { lab, sentence } from '../lab.ts';
import { useLab } from '../store.ts';

export const allPassed = ({ verification }: Pick<ExportResult, 'verification'>): boolean => verification.every(({ passed }) => passed);

/** Milliseconds after which the address of a download is given back; the browser has taken the file by then. */
const addressLife = 60_000;

/** Saves a file as the browser saves downloads. */
export function download({ blob, fileName }: Pick<ExportResult, 'blob' | 'fileName'>): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = address;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), addressLife);
}

/** Writes, verifies and downloads; what failed is named and nothing is downloaded then. */
export async function writeExport(run: RunId): Promise<void> {
  const { setState: set } = useLab;
  set({ exported: { run, state: 'writing', result: undefined, message: undefined } });
  try {
    const result = await lab().exportRun(run);
    const passed = allPassed(result);
    const message = passed ? undefined : 'Reading the files back found a difference, so they are not offered. The run and its weights are as they were.';
    set({ exported: { run, state: passed ? 'done' : 'failed', result, message } });
    if (passed) download(result);
  } catch (error) {
    set({ exported: { run, state: 'failed', result: undefined, message: sentence(error) } });
  }
}
