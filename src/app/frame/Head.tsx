/** @file The head: name, tabs, keys and theme. */
import type { ReactElement } from 'react';
import { formatCount } from '../format.ts';
import { choiceName } from '../../worker/methods.ts';
import { Icon } from '../parts/Icon.tsx';
import { selectLiveRun, useLab, type Theme } from '../store.ts';
import { setTheme, themes } from './preferences.ts';
import { Tabs } from './Tabs.tsx';

const themeNames: Readonly<Record<Theme, string>> = { system: 'as the system', light: 'light', dark: 'dark' };

function ThemeButton(): ReactElement {
  const theme = useLab((state) => state.theme);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system';
  const label = `Theme: ${themeNames[theme]}. Switch to ${themeNames[next]}`;
  return (
    <button type="button" className="ib" aria-label={label} title={label} onClick={() => setTheme(next)}>
      <Icon name={theme} />
    </button>
  );
}

function LiveStep(): ReactElement | null {
  const label = useLab((state) => {
    const run = selectLiveRun(state);
    return run === undefined ? undefined : `${choiceName(run.config)} step ${formatCount(run.completedSteps)}`;
  });
  return label === undefined ? null : <span className="head-run">{label}</span>;
}

/** Across the top; below 720 px its parts become rows of the page. */
export function Head(): ReactElement {
  return (
    <header className="head">
      <h1 className="brand">
        <svg className="logo" viewBox="0 0 24 24" aria-hidden="true">
          <circle cx="12" cy="12" r="10.5" />
          <ellipse cx="12" cy="12" rx="7.6" ry="3.4" transform="rotate(-35 12 12)" />
          <path d="M12 1.5v2.6M12 19.9v2.6" />
          <path className="lvl" d="M7.2 12h9.6" />
          <circle className="pin" cx="12" cy="12" r="1.5" />
        </svg>
        <span>Gimbal</span>
      </h1>
      <Tabs />
      <div className="head-r">
        <LiveStep />
        <button type="button" className="ib" aria-label="Keyboard shortcuts" title="Keyboard shortcuts" popoverTarget="keys">
          <Icon name="keys" />
        </button>
        <ThemeButton />
      </div>
    </header>
  );
}
