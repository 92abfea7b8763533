import type { Role, User } from "../api/types";
import { moment } from "../shell/facts";
import { useSession } from "../shell/session";
import { useChange } from "./useChange";

const ROLES: readonly [Role, string][] = [
  ["reader", "reader: reads and gives verdicts"],
  ["operator", "operator: also adds images"],
  ["admin", "admin: also accounts and keys"],
];

export function Users({ users, onChange }: { users: User[]; onChange: () => void }) {
  const { me } = useSession();
  const { refusal, busy, run } = useChange();

  async function create(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const made = await run("POST", "/users", Object.fromEntries(new FormData(form)));
    if (!made) return;
    form.reset();
    onChange();
  }
  async function edit(user: User, changes: object): Promise<void> {
    await run("PATCH", `/users/${user.id}`, changes);
    onChange();
  }

  return (
    <section class="card" aria-labelledby="people">
      <h2 id="people">People</h2>
      <div class="table-frame" role="region" aria-labelledby="people" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Role</th>
              <th scope="col">Since</th>
              <th scope="col">Account</th>
            </tr>
          </thead>
          <tbody>
            {users.map((user) => (
              <tr key={user.id} class={user.disabled_at ? "off" : ""}>
                <th scope="row">{user.name}</th>
                <td>
                  <select
                    aria-label={`Role of ${user.name}`}
                    value={user.role}
                    disabled={busy || user.name === me.name}
                    onChange={(event) => void edit(user, { role: event.currentTarget.value })}
                  >
                    {ROLES.map(([role]) => (
                      <option key={role}>{role}</option>
                    ))}
                  </select>
                </td>
                <td>{moment(user.created_at)}</td>
                <td>
                  <button
                    type="button"
                    class="small"
                    disabled={busy || user.name === me.name}
                    aria-label={`${user.disabled_at ? "Enable" : "Disable"} ${user.name}`}
                    onClick={() => void edit(user, { disabled: !user.disabled_at })}
                  >
                    {user.disabled_at ? "Enable" : "Disable"}
                  </button>
                </td>
              </tr>
            ))}
            {!users.length && (
              <tr>
                <td colSpan={4} class="quiet">
                  Nobody yet. On loopback nobody needs to sign in.
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
        <label>
          Password
          <input name="password" type="password" required minLength={12} autocomplete="new-password" />
        </label>
        <label>
          Role
          <select name="role">
            {ROLES.map(([role, words]) => (
              <option key={role} value={role}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="primary" disabled={busy}>
          Add person
        </button>
      </form>
      <p class="refusal" role="alert">
        {refusal}
      </p>
    </section>
  );
}
