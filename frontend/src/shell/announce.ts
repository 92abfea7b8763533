/** Says things to screen readers through one polite live region. */

let region: HTMLElement | null = null;

export function setRegion(element: HTMLElement | null): void {
  region = element;
}

export function announce(text: string): void {
  if (region) region.textContent = text;
}
