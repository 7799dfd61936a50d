/** @file A problem where it happened: what, where, what still holds, and buttons for what to do. */
import type { ReactElement, ReactNode } from 'react';
import { Icon } from './Icon.tsx';

export interface AlertProps {
  readonly title: string;
  readonly children?: ReactNode;
  /** Buttons. */
  readonly actions?: ReactNode;
}

/** Announced at once by screen readers. */
export function Alert({ title, children, actions }: AlertProps): ReactElement {
  return (
    <div className="alert" role="alert">
      <Icon name="alert" />
      <div>
        <b>{title}</b>
        {children}
        {actions === undefined ? null : <div className="acts">{actions}</div>}
      </div>
    </div>
  );
}
