/** @file The tabs of the main area, after the ARIA pattern: one tab stop, arrows move and select. */
import type { KeyboardEvent, ReactElement } from 'react';
import { showTab, tabIds, useLab, type TabId } from '../store.ts';

const tabNames: Readonly<Record<TabId, string>> = { train: 'Train', compare: 'Compare', spectrum: 'Spectrum', playground: 'Playground', export: 'Export' };

/** Where a key leads from a tab; undefined when it leads nowhere. */
function tabAfter(tab: TabId, key: string): TabId | undefined {
  const index = tabIds.indexOf(tab);
  const steps: Readonly<Record<string, number>> = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: tabIds.length - 1 };
  const target = steps[key];
  return target === undefined ? undefined : tabIds[(target + tabIds.length) % tabIds.length];
}

export function Tabs(): ReactElement {
  const selected = useLab((state) => state.tab);
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = tabAfter(selected, event.key);
    if (next === undefined) return;
    event.preventDefault();
    showTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label="Views">
      {tabIds.map((tab) => (
        <button
          key={tab}
          type="button"
          role="tab"
          id={`tab-${tab}`}
          aria-controls={`view-${tab}`}
          aria-selected={tab === selected}
          tabIndex={tab === selected ? 0 : -1}
          onClick={() => showTab(tab)}
          onKeyDown={onKeyDown}
        >
          {tabNames[tab]}
        </button>
      ))}
    </div>
  );
}
