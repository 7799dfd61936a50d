/** @file The keys of the page, for the handler and for the list that the ? key opens. */

const isApple = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.userAgent);

/** The modifier that goes with Enter, as it is written on buttons. */
export const commandKey = isApple ? '⌘' : 'Ctrl ';

/** A line of the key list. */
export interface KeyLine {
  readonly keys: readonly string[];
  readonly does: string;
  /** Works without a modifier, so that it can be switched off. */
  readonly letter: boolean;
}

export const keyLines: readonly KeyLine[] = [
  { keys: [commandKey.trim(), '↵'], does: 'Start, or ask in the playground', letter: false },
  { keys: ['P'], does: 'Pause or resume', letter: true },
  { keys: ['S'], does: 'One step while paused', letter: true },
  { keys: ['1', '2', '3', '4', '5'], does: 'Train, Compare, Spectrum, Playground, Export', letter: true },
  { keys: ['M', 'D', 'H', 'R'], does: 'Open Model, Data, Method, Run', letter: true },
  { keys: ['←', '→'], does: 'Tabs; cursor in a figure, with Shift by checkpoint', letter: false },
  { keys: ['Home', 'End'], does: 'First and last point of a figure', letter: false },
  { keys: ['[', ']'], does: 'Previous, next checkpoint in Spectrum', letter: true },
  { keys: ['T'], does: 'The focused figure as a table and back', letter: true },
  { keys: ['Esc'], does: 'Close the preview, release the cursor', letter: false },
  { keys: ['?'], does: 'This list', letter: true },
];
