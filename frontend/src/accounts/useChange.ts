/** Sends a change and keeps the reason where it is refused. */

import { useState } from "preact/hooks";
import { change } from "../api/client";

export interface Change {
  refusal: string;
  busy: boolean;
  run: <T>(method: string, path: string, body?: unknown) => Promise<T | null>;
}

export function useChange(): Change {
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);

  async function run<T>(method: string, path: string, body?: unknown): Promise<T | null> {
    setBusy(true);
    setRefusal("");
    try {
      return ((await change<T>(method, path, body)) ?? {}) as T;
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
      return null;
    } finally {
      setBusy(false);
    }
  }
  return { refusal, busy, run };
}
