/** Adds an image by hand. */

import { useRef, useState } from "preact/hooks";
import { send } from "../api/client";
import { announce } from "../shell/announce";
import { Icon } from "../shell/icons";

const TYPES: Record<string, string> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg" };

function typeOf(file: File): string {
  return TYPES[file.name.split(".").pop()?.toLowerCase() ?? ""] ?? "application/dicom";
}

export function Upload() {
  const input = useRef<HTMLInputElement>(null);
  const [words, setWords] = useState("");

  async function add(files: FileList): Promise<void> {
    let done = 0;
    const refusals: string[] = [];
    for (const file of files) {
      setWords(`Sending ${file.name}…`);
      try {
        // A retry of the browser's must not judge the same file twice.
        const headers = { "Content-Type": typeOf(file), "Idempotency-Key": crypto.randomUUID() };
        await send("/images", { method: "POST", headers, body: file });
        done += 1;
      } catch (error) {
        refusals.push(`${file.name}: ${error instanceof Error ? error.message : "refused"}`);
      }
    }
    const said = [done ? `${done} added` : "", ...refusals].filter(Boolean).join(". ");
    setWords(said);
    announce(said);
  }

  return (
    <span class="upload">
      <button type="button" onClick={() => input.current?.click()}>
        <Icon name="upload" /> Add image
      </button>
      <input
        ref={input}
        class="unseen"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Files to add"
        accept=".dcm,.png,.jpg,.jpeg,image/png,image/jpeg,application/dicom"
        onChange={(event) => {
          const { files } = event.currentTarget;
          if (files?.length) void add(files);
        }}
      />
      {words && <span class="upload-words">{words}</span>}
    </span>
  );
}
