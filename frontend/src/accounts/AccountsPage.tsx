/** Who may sign in, and which machines may ask. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { get } from "../api/client";
import type { ApiKey, User } from "../api/types";
import { may, useSession } from "../shell/session";
import { Notice } from "../shell/Shell";
import { Keys } from "./Keys";
import { Users } from "./Users";

/** Some of the API's lists come bare, some in pages. */
function listed<T>(answer: T[] | { items: T[] }): T[] {
  return Array.isArray(answer) ? answer : answer.items;
}

export function AccountsPage() {
  const { me } = useSession();
  const [users, setUsers] = useState<User[]>([]);
  const [keys, setKeys] = useState<ApiKey[]>([]);
  const [failure, setFailure] = useState("");

  const refresh = useCallback(async () => {
    try {
      setUsers(listed(await get<User[]>("/users")));
      setKeys(listed(await get<ApiKey[]>("/keys")));
      setFailure("");
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  }, []);

  useEffect(() => {
    document.title = "Accounts · lungflag";
    if (may(me, "admin")) void refresh();
  }, [refresh, me]);

  if (!may(me, "admin")) {
    return <Notice title="Accounts are an administrator's">Ask one for what you need.</Notice>;
  }
  return (
    <div class="page">
      <h1>Accounts</h1>
      <p class="refusal" role="alert">
        {failure}
      </p>
      <Users users={users} onChange={() => void refresh()} />
      <Keys keys={keys} onChange={() => void refresh()} />
    </div>
  );
}
