/** @file Keeps a figure that cannot be drawn to its own plate: the others go on. */
import { Component, type ReactNode } from 'react';

interface PlateBoundaryProps {
  readonly title: string;
  readonly height: number;
  readonly children: ReactNode;
}

/** Shows why the drawing failed, such as a part of the page that could not be loaded. */
export class PlateBoundary extends Component<PlateBoundaryProps, { readonly problem: string | undefined }> {
  override state = { problem: undefined as string | undefined };

  static getDerivedStateFromError(error: unknown): { problem: string } {
    return { problem: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    const { title, height, children } = this.props;
    if (this.state.problem === undefined) return children;
    return (
      <p className="plate-problem" role="alert" style={{ minHeight: height }}>
        <span>
          <b>{title} was not drawn.</b> {this.state.problem} The run and the other figures go on; the numbers are in the table, in the menu
          of this figure.
        </span>
      </p>
    );
  }
}
