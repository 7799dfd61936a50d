/** @file One map with its caption, the key of its scale, and its table. */
import type { ReactElement } from 'react';
import type { MethodId } from '../../worker/protocol.ts';
import type { RampName } from '../charts/colour.ts';
import { Heatmap, type HeatRow } from '../charts/Heatmap.tsx';
import { Plate } from '../charts/Plate.tsx';
import { RampKey } from '../charts/RampKey.tsx';
import type { TableData } from '../charts/table.ts';
import { useRamp } from '../charts/useRamp.ts';

interface MapPlateProps {
  readonly title: string;
  /** The method whose map it is; a difference has none. */
  readonly method?: MethodId;
  readonly unit: string;
  readonly metric: string;
  readonly ramp: RampName;
  readonly from: string;
  readonly to: string;
  readonly layers: readonly (number | string)[];
  /** What stands over the names of the rows: layers, if nothing else is said. */
  readonly corner?: string;
  readonly rows: readonly HeatRow[];
  /** Values behind the cells. */
  readonly values: () => TableData;
  readonly span: 4 | 6 | 12;
  readonly selected: string | undefined;
  readonly onSelect: (key: string) => void;
}

const cellHeight = 26;

/** A map of all matrices of one run, or of the difference of two. */
export function MapPlate({
  title,
  method,
  unit,
  metric,
  ramp,
  from,
  to,
  layers,
  corner,
  rows,
  values,
  span,
  selected,
  onSelect,
}: MapPlateProps): ReactElement {
  const colours = useRamp(ramp);
  return (
    <Plate
      title={title}
      {...(method === undefined ? {} : { swatch: method })}
      unit={unit}
      unitText={`${metric}, ${unit}; ink from ${from} to ${to}`}
      controls={<RampKey ramp={ramp} from={from} to={to} />}
      legend={method === undefined ? [] : [{ name: title, method }]}
      table={values}
      span={span}
      height={(rows.length + 1) * cellHeight}
    >
      <Heatmap label={`${metric}, ${title}`} layers={layers} corner={corner} rows={rows} ramp={colours} selected={selected} onSelect={onSelect} />
    </Plate>
  );
}
