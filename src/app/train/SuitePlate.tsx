/** @file The figure of a suite: its accuracy, or its loss where it is plain text. */
import type { ReactElement } from 'react';
import { isAccuracy } from '../results.ts';
import { AccuracyPlate } from './AccuracyPlate.tsx';
import type { SuitePlateProps } from './FailuresButton.tsx';
import { SuiteLossPlate } from './SuiteLossPlate.tsx';

export function SuitePlate(props: SuitePlateProps): ReactElement {
  return isAccuracy(props.figures.measures[props.suite]) ? <AccuracyPlate {...props} /> : <SuiteLossPlate suite={props.suite} figures={props.figures} />;
}
