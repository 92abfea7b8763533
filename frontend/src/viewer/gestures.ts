/** Mouse, pen and fingers on the stage. */

import type { Film } from "./film";

export type Tool = "window" | "pan" | "zoom";

const WHEEL = 0.0015;
const DRAG = 0.006;

/** Listens on the stage; returns the function that ends it. */
export function gestures(element: HTMLElement, film: Film, tool: () => Tool): () => void {
  const fingers = new Map<number, PointerEvent>();
  let doing: Tool | null = null;

  const dots = () => window.devicePixelRatio || 1;

  function fromMiddle(event: { clientX: number; clientY: number }): [number, number] {
    const box = element.getBoundingClientRect();
    const x = event.clientX - box.left - box.width / 2;
    const y = event.clientY - box.top - box.height / 2;
    return [x * dots(), y * dots()];
  }

  function down(event: PointerEvent): void {
    if ((event.target as Element).closest("button, input, a")) return;
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    if (event.button === 1 || event.shiftKey) doing = "pan";
    else if (event.button === 2) doing = "zoom";
    else doing = tool();
    if (event.button === 1) event.preventDefault();
  }

  function pinch(event: PointerEvent, before: PointerEvent): void {
    const other = [...fingers.values()].find((f) => f.pointerId !== event.pointerId);
    if (!other) return;
    const apart = (one: PointerEvent) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = {
      clientX: (event.clientX + other.clientX) / 2,
      clientY: (event.clientY + other.clientY) / 2,
    };
    film.zoom(apart(event) / Math.max(apart(before), 1), ...fromMiddle(middle));
    film.pan(((event.clientX - before.clientX) / 2) * dots(), ((event.clientY - before.clientY) / 2) * dots());
  }

  function move(event: PointerEvent): void {
    const before = fingers.get(event.pointerId);
    if (!before || !doing) return;
    fingers.set(event.pointerId, event);
    if (fingers.size > 1) {
      pinch(event, before);
      return;
    }
    const dx = event.clientX - before.clientX;
    const dy = event.clientY - before.clientY;
    if (doing === "pan") film.pan(dx * dots(), dy * dots());
    else if (doing === "zoom") film.zoom(Math.exp(-dy * DRAG));
    else {
      const { clientWidth, clientHeight } = element;
      const wider = Math.exp((2 * dx) / clientWidth) - 1;
      film.nudge(-dy / clientHeight, wider);
    }
  }

  function up(event: PointerEvent): void {
    fingers.delete(event.pointerId);
    if (!fingers.size) doing = null;
  }

  function wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 32 : 1;
    film.zoom(Math.exp(-event.deltaY * lines * WHEEL), ...fromMiddle(event));
  }

  const quiet = (event: Event) => event.preventDefault();
  const fit = () => film.fit();
  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("contextmenu", quiet);
  element.addEventListener("dblclick", fit);
  return () => {
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", up);
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("contextmenu", quiet);
    element.removeEventListener("dblclick", fit);
  };
}
