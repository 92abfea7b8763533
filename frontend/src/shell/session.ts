/** Who reads, and whether the station is live; every page may ask. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Connection } from "../api/events";
import type { Me } from "../api/types";

export interface Session {
  me: Me;
  connection: Connection;
  /** Rises with every change of the worklist. */
  version: number;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("a page outside the shell");
  return session;
}

const RANKS = { reader: 0, operator: 1, admin: 2 };

/** Whether a person of this role may do what needs another. */
export function may(me: Me, needed: keyof typeof RANKS): boolean {
  return RANKS[me.role] >= RANKS[needed];
}
