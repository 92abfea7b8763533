import { useState } from "preact/hooks";
import type { ApiKey } from "../api/types";
import { moment } from "../shell/facts";
import { useChange } from "./useChange";

const SCOPES: readonly [string, string][] = [
  ["studies:read", "read studies, pictures and results"],
  ["images:write", "send images to be judged"],
  ["feedback:write", "give readings"],
  ["metrics:read", "read metrics"],
];

export function Keys({ keys, onChange }: { keys: ApiKey[]; onChange: () => void }) {
  const { refusal, busy, run } = useChange();
  const [secret, setSecret] = useState("");
  const [copied, setCopied] = useState(false);

  async function create(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const element = event.currentTarget as HTMLFormElement;
    const form = new FormData(element);
    const body = { name: form.get("name"), scopes: form.getAll("scope") };
    const made = await run<{ key: string }>("POST", "/keys", body);
    if (!made) return;
    setSecret(made.key);
    setCopied(false);
    element.reset();
    onChange();
  }
  async function revoke(key: ApiKey): Promise<void> {
    await run("DELETE", `/keys/${key.id}`);
    onChange();
  }

  return (
    <section class="card" aria-labelledby="machines">
      <h2 id="machines">Keys for machines</h2>
      {secret && (
        <div class="secret" role="status">
          <p>This is the only time that the key is shown. Keep it where secrets are kept.</p>
          <code>{secret}</code>
          <button
            type="button"
            onClick={() => void navigator.clipboard.writeText(secret).then(() => setCopied(true))}
          >
            {copied ? "Copied" : "Copy"}
          </button>
          <button type="button" onClick={() => setSecret("")}>
            Done
          </button>
        </div>
      )}
      <div class="table-frame" role="region" aria-labelledby="machines" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Key</th>
              <th scope="col">May</th>
              <th scope="col">Last used</th>
              <th scope="col">Expires</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {keys.map((key) => (
              <tr key={key.id} class={key.revoked_at ? "off" : ""}>
                <th scope="row">{key.name}</th>
                <td>
                  <code>{key.prefix}…</code>
                </td>
                <td>{key.scopes.join(", ")}</td>
                <td>{key.last_used_at ? moment(key.last_used_at) : "never"}</td>
                <td>{key.expires_at ? moment(key.expires_at) : "never"}</td>
                <td>
                  {key.revoked_at ? (
                    "revoked"
                  ) : (
                    <button
                      type="button"
                      class="small"
                      disabled={busy}
                      aria-label={`Revoke ${key.name}`}
                      onClick={() => void revoke(key)}
                    >
                      Revoke
                    </button>
                  )}
                </td>
              </tr>
            ))}
            {!keys.length && (
              <tr>
                <td colSpan={6} class="quiet">
                  No machine has a key.
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
      <form class="inline" onSubmit={(event) => void create(event)}>
        <label>
          Name
          <input name="name" required autocomplete="off" />
        </label>
        <fieldset>
          <legend>May</legend>
          {SCOPES.map(([scope, words]) => (
            <label key={scope} class="check">
              <input type="checkbox" name="scope" value={scope} /> {words}
            </label>
          ))}
        </fieldset>
        <button type="submit" class="primary" disabled={busy}>
          Make a key
        </button>
      </form>
      <p class="refusal" role="alert">
        {refusal}
      </p>
    </section>
  );
}
