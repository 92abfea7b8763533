/** Live changes over server-sent events, with a reconnection that outlives a restart. */

export type Connection = "connecting" | "live" | "lost";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 8000;

/**
 * Calls `changed` whenever the worklist changed and after every reconnection, since changes may
 * have been missed; `connection` with every change of state. Returns the function that ends it.
 */
export function listen(changed: () => void, connection: (state: Connection) => void): () => void {
  let source: EventSource | undefined;
  let timer: number | undefined;
  let delay = FIRST_DELAY;
  let missed = false;

  function open(): void {
    source = new EventSource("/api/v1/events");
    source.onopen = () => {
      delay = FIRST_DELAY;
      connection("live");
      if (missed) changed();
      missed = false;
    };
    source.addEventListener("change", changed);
    // The browser gives up for good after an HTTP error, so the retrying is ours.
    source.onerror = () => {
      source?.close();
      missed = true;
      connection("lost");
      timer = window.setTimeout(open, delay);
      delay = Math.min(delay * 2, LONGEST_DELAY);
    };
  }

  connection("connecting");
  open();
  return () => {
    source?.close();
    window.clearTimeout(timer);
  };
}
