/** Which page stands at which address, and who may see it. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { AccountsPage } from "./accounts/AccountsPage";
import { get, Problem, setCsrf, whenSignedOut } from "./api/client";
import { type Connection, listen } from "./api/events";
import type { Me } from "./api/types";
import { QualityPage } from "./quality/QualityPage";
import { announce } from "./shell/announce";
import { navigate, usePlace } from "./shell/router";
import { SessionContext } from "./shell/session";
import { Notice, Shell } from "./shell/Shell";
import { SignInPage } from "./signin/SignInPage";
import { ViewerPage } from "./viewer/ViewerPage";
import { WorklistPage } from "./worklist/WorklistPage";

const RETRY = 1500;

function toSignIn(): void {
  const to = location.pathname + location.search;
  if (location.pathname !== "/sign-in") navigate(`/sign-in?to=${encodeURIComponent(to)}`, true);
}

export function App() {
  const place = usePlace();
  const [me, setMe] = useState<Me | null>(null);
  const [connection, setConnection] = useState<Connection>("connecting");
  const [version, setVersion] = useState(0);
  const [silent, setSilent] = useState(false);
  const signingIn = place.path === "/sign-in";

  const enter = useCallback(async (): Promise<void> => {
    try {
      const answer = await get<Me>("/me");
      setCsrf(answer.csrf);
      setMe(answer);
      setSilent(false);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return;
      setSilent(true);
      window.setTimeout(() => void enter(), RETRY);
    }
  }, []);

  useEffect(() => {
    whenSignedOut(() => {
      setMe(null);
      toSignIn();
    });
    void enter();
  }, [enter]);

  const name = me?.name;
  useEffect(() => {
    if (!name) return;
    let lost = false;
    return listen(
      () => setVersion((before) => before + 1),
      (state) => {
        setConnection(state);
        if (state === "lost" && !lost) announce("The connection to the station is lost. Trying again.");
        if (state === "live" && lost) announce("The station answers again.");
        lost = state === "lost";
      },
    );
  }, [name]);

  if (signingIn) return <SignInPage onEntered={enter} me={me} to={place.query.get("to") ?? "/"} />;
  if (!me) {
    return (
      <main class="alone">
        {silent ? (
          <Notice title="The station does not answer" tone="lost">
            Is <code>lungflag serve</code> running? This page tries again by itself.
          </Notice>
        ) : (
          <p class="quiet">Opening the reading station…</p>
        )}
      </main>
    );
  }
  return (
    <SessionContext.Provider value={{ me, connection, version }}>
      <Shell path={place.path}>
        <Page path={place.path} />
      </Shell>
    </SessionContext.Provider>
  );
}

function Page({ path }: { path: string }) {
  const study = /^\/studies\/([^/]+)$/.exec(path)?.[1];
  if (study) return <ViewerPage key={study} study={decodeURIComponent(study)} />;
  if (path === "/") return <WorklistPage />;
  if (path === "/quality") return <QualityPage />;
  if (path === "/accounts") return <AccountsPage />;
  return (
    <Notice title="There is no such page">
      <a href="/">Back to the worklist</a>
    </Notice>
  );
}
