/** @file The group under the pointer, in tables and figures alike. Like the cursor it goes through the DOM: a moving pointer renders nothing. */

/** Marks whatever shows this group (`data-group`), in all of the view; nothing without an id. */
export function highlight(id?: string): void {
  for (const element of document.querySelectorAll<HTMLElement | SVGElement>('[data-group]')) element.toggleAttribute('data-hot', element.dataset['group'] === id);
}

/** What a row of a table needs to take part. */
export const hoverRow = (id: string): { readonly 'data-group': string; readonly onPointerEnter: () => void; readonly onPointerLeave: () => void } => ({
  'data-group': id,
  onPointerEnter: () => highlight(id),
  onPointerLeave: () => highlight(),
});
