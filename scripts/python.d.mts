/** A Python with what reference/requirements.txt pins, or why there is none. */
export function ensurePython(install: boolean): Promise<{ readonly python: string; readonly missing?: never } | { readonly python?: never; readonly missing: string }>;
