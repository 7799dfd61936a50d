/** @file Says that what is shown was recorded elsewhere, on what, and when. */
import type { ReactElement } from 'react';
import { formatDay } from '../format.ts';
import { useLab } from '../store.ts';

/** A line over the views that show a recorded run; nothing where there is none. */
export function RecordedBanner(): ReactElement | null {
  const recording = useLab((state) => state.recording);
  const unusable = useLab((state) => state.connection === 'unavailable' || state.connection === 'failed');
  if (recording.status === 'shown') {
    const { adapter, date } = recording.on;
    return (
      <p className="rec-line">
        <b>
          Recorded run on {adapter}, {formatDay(date)}.
        </b>{' '}
        A real run of this page, played back from a file. {unusable ? '' : 'Your own takes its place as soon as it starts.'}
      </p>
    );
  }
  if (recording.status === 'missing' && unusable) return <p className="rec-line">This copy of the page comes without a recorded run.</p>;
  return null;
}
