/** @file A problem where it happened: what, where, what still holds, and buttons for what to do. */
import type { ReactElement, ReactNode } from 'react';
import { Icon } from './Icon.tsx';

export interface AlertProps {
  readonly title: string;
  readonly children?: ReactNode;
  /** Buttons. */
  readonly actions?: ReactNode;
}

/** What has just gone wrong is brought into view; what is in view stays where it is. */
const show = (element: HTMLElement | null): void => element?.scrollIntoView({ block: 'nearest' });

/** Announced at once by screen readers. */
export function Alert({ title, children, actions }: AlertProps): ReactElement {
  return (
    <div className="alert" role="alert" ref={show}>
      <Icon name="alert" />
      <div>
        <b>{title}</b>
        {children}
        {actions === undefined ? null : <div className="acts">{actions}</div>}
      </div>
    </div>
  );
}
