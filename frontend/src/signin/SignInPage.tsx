/** One form, and the reason where it fails. */

import { useEffect, useState } from "preact/hooks";
import { change, Problem } from "../api/client";
import type { Me } from "../api/types";
import { Icon } from "../shell/icons";
import { navigate } from "../shell/router";

interface Props {
  me: Me | null;
  to: string;
  onEntered: () => Promise<void>;
}

/** Where to go after signing in: a path of this station, whatever the address says. */
function inside(to: string): string {
  return /^\/(?![/\\])/.test(to) && !to.startsWith("/sign-in") ? to : "/";
}

export function SignInPage({ me, to, onEntered }: Props) {
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    document.title = "Sign in · lungflag";
    if (me) navigate(inside(to), true);
  }, [me, to]);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setReason("");
    try {
      await change("POST", "/session", {
        name: String(form.get("name")),
        password: String(form.get("password")),
      });
      await onEntered();
    } catch (error) {
      if (error instanceof Problem && error.status === 401) setReason("Name or password is wrong.");
      else setReason(error instanceof Error ? error.message : "That did not work.");
    } finally {
      setBusy(false);
    }
  }

  return (
    <main class="alone">
      <form class="sign-in" onSubmit={(event) => void submit(event)}>
        <p class="brand">
          <Icon name="lungs" />
          <span>lungflag</span>
        </p>
        <h1>Reading station</h1>
        <label>
          Name
          <input name="name" autocomplete="username" required autofocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <p class="refusal" role="alert">
          {reason}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
        <p class="quiet">
          Accounts are made by an administrator, on the accounts page or with{" "}
          <code>lungflag accounts</code>.
        </p>
      </form>
      <footer class="bottom">
        <strong>Not for diagnostic use</strong>
      </footer>
    </main>
  );
}
