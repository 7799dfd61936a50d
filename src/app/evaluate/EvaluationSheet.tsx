/** @file Evaluation on demand, over the main area: what to measure, the report, and its items. Opens with the focus on its heading; Esc or the cross closes it. */
import { useEffect, useRef, type ReactElement } from 'react';
import { Icon } from '../parts/Icon.tsx';
import { closeSheet, useLab } from '../store.ts';
import { EvaluateForm } from './EvaluateForm.tsx';
import { Items } from './Items.tsx';
import { ReportView } from './ReportView.tsx';
import { selectReport } from './session.ts';

/** An evaluation goes on when it is closed, and is here when it is opened again. */
export function EvaluationSheet(): ReactElement {
  const named = useLab(selectReport);
  const model = useLab((state) => state.model?.name);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section className="sheet" aria-label="Evaluation">
      <header>
        <h2 ref={heading} tabIndex={-1}>
          Evaluate
        </h2>
        <span>{model} and its runs, on the same items</span>
        <button type="button" className="ib" aria-label="Close evaluation" title="Close (Esc)" onClick={closeSheet}>
          <Icon name="x" />
        </button>
      </header>
      <EvaluateForm />
      {named === undefined ? null : (
        <>
          <ReportView named={named} />
          <Items key={named.report.id} named={named} />
        </>
      )}
    </section>
  );
}
