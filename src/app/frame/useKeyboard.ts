/** @file The keys that work everywhere on the page. What belongs to one figure or form is handled there. */
import { useEffect } from 'react';
import { cursor } from '../cursor.ts';
import { pauseRun, resumeRun, startRun, stepRun } from '../run/control.ts';
import { closeSheet, openStation, selectLiveRun, showTab, tabIds, useLab, type StationId } from '../store.ts';

const stationKeys: Readonly<Record<string, StationId>> = { m: 'model', d: 'data', h: 'method', r: 'run' };

/** The person is typing: letters are text there. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=range])'));

/** Opens a station and puts the focus on it. */
function goToStation(station: StationId): void {
  openStation(station);
  document.getElementById(`station-${station}`)?.focus();
}

function escape(): boolean {
  if (useLab.getState().sheet !== undefined) {
    closeSheet();
    return true;
  }
  return cursor.release();
}

/** True when the key did something. */
function pressLetter(key: string): boolean {
  const { asked } = useLab.getState();
  const live = asked === undefined ? selectLiveRun(useLab.getState())?.state : undefined;
  const station = stationKeys[key];
  const tab = tabIds[Number(key) - 1];
  if (key === 'p' && live === 'running') void pauseRun();
  else if (key === 'p' && live === 'paused') void resumeRun();
  else if (key === 's' && live === 'paused') void stepRun();
  else if (key === '?') document.getElementById('keys')?.togglePopover();
  else if (station !== undefined) goToStation(station);
  else if (tab !== undefined) showTab(tab);
  else return false;
  return true;
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const plain = !event.metaKey && !event.ctrlKey && !event.altKey;
  let handled = false;
  if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
    void startRun();
    handled = true;
  } else if (event.key === 'Escape') {
    handled = escape();
  } else if (plain && useLab.getState().letterKeys && !isTyping(event.target)) {
    handled = pressLetter(event.key.toLowerCase());
  }
  if (handled) event.preventDefault();
}

/** Listens as long as the page stands. */
export function useKeyboard(): void {
  useEffect(() => {
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
}
