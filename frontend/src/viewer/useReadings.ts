/** What this reader says of an image, and how it reaches the station. */

import { useEffect, useRef, useState } from "preact/hooks";
import { change } from "../api/client";
import { submit } from "../api/outbox";
import type { ImageDetail, Reading, Verdict } from "../api/types";
import { announce } from "../shell/announce";
import { VERDICTS } from "../shell/facts";
import { useSession } from "../shell/session";

export interface Readings {
  /** This reader's standing reading. */
  mine: Reading | undefined;
  comment: string;
  setComment: (text: string) => void;
  read: (verdict: Verdict) => void;
  undo: () => void;
  busy: boolean;
  note: string;
  refusal: string;
}

/** The newest reading of a reader that has not been undone. */
function standing(readings: Reading[], reader: string): Reading | undefined {
  return readings
    .filter((r) => r.reader === reader && !r.undone_at)
    .reduce<Reading | undefined>((last, r) => (last && last.id > r.id ? last : r), undefined);
}

export function useReadings(image: ImageDetail | undefined, refresh: () => void, read: () => void): Readings {
  const { me } = useSession();
  const [comment, setComment] = useState("");
  const [busy, setBusy] = useState(false);
  const [note, setNote] = useState("");
  const [refusal, setRefusal] = useState("");
  const mine = image ? standing(image.readings, me.name) : undefined;
  const uid = image?.image;
  const shown = useRef(uid);
  shown.current = uid;

  useEffect(() => {
    setComment(mine?.comment ?? "");
    setNote("");
    setRefusal("");
  }, [uid, mine?.id]);

  async function attempt(action: () => Promise<string>, after: () => void): Promise<void> {
    setBusy(true);
    setRefusal("");
    try {
      const done = await action();
      announce(done);
      if (shown.current !== uid) return;
      setNote("");
      refresh();
      after();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      announce(`Not saved: ${reason}`);
      if (shown.current === uid) setRefusal(`Not saved: ${reason}`);
    } finally {
      setBusy(false);
    }
  }

  function give(verdict: Verdict): void {
    if (!image?.outcome || busy) return;
    const known = new Set(image.readings.map((r) => r.id));
    const delayed = () => {
      announce("Not saved yet: the station does not answer. It is sent again.");
      setNote("Not saved yet: the station does not answer. It is sent again by itself.");
    };
    void attempt(async () => {
      await submit(image.image, me.name, verdict, comment.trim(), known, delayed);
      return `${VERDICTS[verdict]}: saved.`;
    }, read);
  }

  function undo(): void {
    if (!mine || busy) return;
    void attempt(async () => {
      await change("DELETE", `/readings/${mine.id}`);
      return "Reading undone.";
    }, () => undefined);
  }

  return { mine, comment, setComment, read: give, undo, busy, note, refusal };
}
