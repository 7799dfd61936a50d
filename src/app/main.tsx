/** @file The page's entry: styles, preferences, the engine, and React. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './tokens.css';
import './theme.css';
import { App } from './App.tsx';
import { startEngine } from './engine.ts';
import { watchPage } from './frame/guards.ts';
import { restorePreferences } from './frame/preferences.ts';
import { followHash } from './method/hash.ts';
import { connectLab, failConnection } from './labClient.ts';

const root = document.querySelector('#root');
if (root === null) throw new Error('index.html has no element with the id "root".');

restorePreferences();
followHash();
watchPage();
void connectLab(startEngine(failConnection));
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
