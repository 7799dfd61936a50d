/** @file What a person set for the page itself and finds again next time: the theme, and whether single letters are shortcuts. */
import { useLab, type Theme } from '../store.ts';

const themeKey = 'gimbal.theme';
const lettersKey = 'gimbal.letterKeys';

export const themes: readonly Theme[] = ['system', 'light', 'dark'];

/** Text that is kept under a key. Storage can be forbidden; the page then works with its defaults. */
export function stored(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

export function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Not kept for next time, which is what forbidding storage asks for.
  }
}

function applyTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = theme;
}

/** Reads what was set last time; called before the first drawing. */
export function restorePreferences(): void {
  const theme = themes.find((known) => known === stored(themeKey)) ?? 'system';
  applyTheme(theme);
  useLab.setState({ theme, letterKeys: stored(lettersKey) !== 'off' });
}

export function setTheme(theme: Theme): void {
  applyTheme(theme);
  store(themeKey, theme);
  useLab.setState({ theme });
}

export function setLetterKeys(on: boolean): void {
  store(lettersKey, on ? 'on' : 'off');
  useLab.setState({ letterKeys: on });
}
