/** @file The idle drawing of the first run: the rings sway, the level never moves. CSS turns it, React draws it once. */
import type { ReactElement } from 'react';

/** A tick every 6 degrees, a long one every 30. */
const ticks = Array.from({ length: 60 }, (_, index) => index * 6);

export function Gimbal(): ReactElement {
  return (
    <svg className="gimbal" viewBox="0 0 300 300" aria-hidden="true">
      <g className="g-case">
        <circle cx="150" cy="150" r="140" />
        {ticks.map((angle) => (
          <path key={angle} d={angle % 30 === 0 ? 'M150 4v13' : 'M150 10v7'} transform={`rotate(${angle} 150 150)`} />
        ))}
      </g>
      <g className="g-outer">
        <circle cx="150" cy="150" r="122" />
        <circle cx="150" cy="150" r="114" />
        <path className="axle" d="M150 10v18M150 272v18" />
        <g className="g-mid">
          <circle cx="150" cy="150" r="98" />
          <circle cx="150" cy="150" r="91" />
          <path className="axle" d="M36 150h16M248 150h16" />
          <g className="g-inner">
            <circle cx="150" cy="150" r="74" />
            <path className="axle" d="M150 59v17M150 224v17" />
          </g>
        </g>
      </g>
      <g className="g-level">
        <path d="M104 150h92" />
        <path d="M118 160h64M130 170h40" className="fine" />
        <circle cx="150" cy="150" r="4" />
      </g>
    </svg>
  );
}
