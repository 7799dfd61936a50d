/** @file The page's entry. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

createRoot(document.querySelector('#root')!).render(
  <StrictMode>
    <main>
      <h1>Gimbal</h1>
    </main>
  </StrictMode>,
);
