/** @file What the page watches for as long as it stands: being closed during a run, and requests to other hosts. */
import { selectLiveRun, useLab } from '../store.ts';

/** The browser asks before a page with a live run is closed; the words are the browser's own. */
function askBeforeLeaving(event: BeforeUnloadEvent): void {
  if (selectLiveRun(useLab.getState()) !== undefined) event.preventDefault();
}

const isOutside = (address: string): boolean => /^https?:/.test(address) && new URL(address).origin !== location.origin;

function countOutside(addresses: readonly string[]): void {
  const outside = addresses.filter(isOutside).length;
  if (outside > 0) useLab.setState(({ outsideRequests }) => ({ outsideRequests: outsideRequests + outside }));
}

/** Starts watching; called once. */
export function watchPage(): void {
  addEventListener('beforeunload', askBeforeLeaving);
  // The policy of the page refuses requests to unknown hosts; one that is refused was still asked for and counts.
  document.addEventListener('securitypolicyviolation', ({ blockedURI }) => countOutside([blockedURI]));
  new PerformanceObserver((list) => countOutside(list.getEntries().map(({ name }) => name))).observe({ type: 'resource', buffered: true });
}
