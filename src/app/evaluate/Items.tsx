/** @file The items of a report, a page of them: all, those that some model got wrong, or those where the models part. */
import { useEffect, useRef, useState, type ReactElement } from 'react';
import type { EvaluatedItem } from '../../worker/protocol.ts';
import { formatCount } from '../format.ts';
import { lab, sentence } from '../lab.ts';
import { Icon } from '../parts/Icon.tsx';
import { Segments } from '../parts/Segments.tsx';
import { useLab } from '../store.ts';
import type { NamedReport, Which } from './form.ts';
import { ItemView } from './ItemView.tsx';
import { edit } from './session.ts';

/** Items on one page. */
const pageSize = 20;

interface Page {
  readonly total: number;
  readonly items: readonly EvaluatedItem[];
  readonly problem: string | undefined;
}

/** A page of items, from the worker, again whenever report, filter or page change. The last one stays until the next has come. */
function usePage(report: string, which: Which, from: number): Page | undefined {
  const [page, setPage] = useState<Page>();
  useEffect(() => {
    let current = true;
    lab().evaluatedItems(report, which, from, pageSize).then(
      (found) => {
        if (current) setPage({ ...found, problem: undefined });
      },
      (error: unknown) => {
        if (current) setPage({ total: 0, items: [], problem: sentence(error) });
      },
    );
    return () => {
      current = false;
    };
  }, [report, which, from]);
  return page;
}

const filters: readonly { readonly value: Which; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'failures', label: 'Failures' },
  { value: 'changed', label: 'Changed' },
];

const meanings: Readonly<Record<Which, string>> = { all: '', failures: 'At least one model is wrong.', changed: 'One model is right where another is wrong.' };
const nothing: Readonly<Record<Which, string>> = { all: 'No items.', failures: 'No failures: every model has every item right.', changed: 'No item on which the models part.' };

function Pages({ from, total, onMove }: { readonly from: number; readonly total: number; readonly onMove: (from: number) => void }): ReactElement {
  const last = Math.min(from + pageSize, total);
  return (
    <div className="pagerow">
      <span>
        Items {formatCount(from + 1)} to {formatCount(last)} of {formatCount(total)}
      </span>
      <button type="button" className="btn" disabled={from === 0} onClick={() => onMove(from - pageSize)}>
        <Icon name="left" />
        Previous
      </button>
      <button type="button" className="btn" disabled={last >= total} onClick={() => onMove(from + pageSize)}>
        <Icon name="right" />
        Next
      </button>
    </div>
  );
}

/** Perplexity has no right or wrong, so nothing to filter by. */
export function Items({ named }: { readonly named: NamedReport }): ReactElement {
  const { report } = named;
  const perplexity = report.request.measure === 'perplexity';
  const wanted = useLab((state) => state.evaluation.which);
  const which = perplexity ? 'all' : wanted;
  const [from, setFrom] = useState(0);
  const top = useRef<HTMLHeadingElement>(null);
  const page = usePage(report.id, which, from);
  const filter = (value: Which): void => {
    setFrom(0);
    edit({ which: value });
  };
  const move = (to: number): void => {
    setFrom(to);
    top.current?.scrollIntoView({ block: 'start' });
  };
  return (
    <section className="eval-items" aria-label="Items">
      <h3 ref={top}>
        Items
        {page === undefined ? null : <small>{formatCount(page.total)}</small>}
        {perplexity ? null : (
          <span className="eval-filter">
            <Segments legend="Which items" options={filters} value={which} onChange={filter} />
            <small>{meanings[which]}</small>
          </span>
        )}
      </h3>
      {page?.problem === undefined ? null : <p className="note bad">{page.problem}</p>}
      {page !== undefined && page.problem === undefined && page.total === 0 ? <p className="help">{nothing[which]}</p> : null}
      {page?.items.map((item) => (
        <ItemView key={item.row} item={item} named={named} />
      ))}
      {page === undefined || page.total <= pageSize ? null : <Pages from={from} total={page.total} onMove={move} />}
    </section>
  );
}
