/** What stands around every page: where one is, who one is, and what the product is not for. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { change } from "../api/client";
import { Help } from "../keys/Help";
import { useKeys } from "../keys/keys";
import { announce, setRegion } from "./announce";
import { Icon } from "./icons";
import { isDark, prefer, usePreferences } from "./preferences";
import { followLinks, navigate } from "./router";
import { may, useSession } from "./session";

const CONNECTION = { connecting: "Connecting", live: "Live", lost: "Reconnecting" };

export function Shell({ path, children }: { path: string; children: ComponentChildren }) {
  const { me, connection } = useSession();
  const chosen = usePreferences();
  const [help, setHelp] = useState(false);
  const opener = useRef<HTMLElement | null>(null);
  const viewing = path.startsWith("/studies/");

  function toggleHelp(): void {
    if (!help) opener.current = document.activeElement as HTMLElement | null;
    else opener.current?.focus();
    setHelp(!help);
  }
  function toggleHide(): void {
    prefer({ hidePatient: !chosen.hidePatient });
    announce(chosen.hidePatient ? "Patient data shown" : "Patient data hidden");
  }
  const toggleTheme = () => prefer({ theme: isDark() ? "light" : "dark" });

  useEffect(() => {
    document.addEventListener("click", followLinks);
    return () => document.removeEventListener("click", followLinks);
  }, []);
  useKeys(
    {
      help: toggleHelp,
      hide: toggleHide,
      theme: toggleTheme,
      worklist: () => navigate("/"),
      quality: () => navigate("/quality"),
    },
  );

  return (
    <div class={viewing ? "shell shell-viewing" : "shell"}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href="/" aria-label="lungflag reading station, worklist">
          <Icon name="lungs" />
          <span>lungflag</span>
        </a>
        <nav aria-label="Pages">
          <Tab to="/" path={path} also="/studies/">
            Worklist
          </Tab>
          <Tab to="/quality" path={path}>
            Quality
          </Tab>
          {may(me, "admin") && (
            <Tab to="/accounts" path={path}>
              Accounts
            </Tab>
          )}
        </nav>
        <div class="top-end">
          <span class={`connection connection-${connection}`} title={CONNECTION[connection]}>
            <span class="dot" aria-hidden="true" />
            <span class="connection-word">{CONNECTION[connection]}</span>
          </span>
          <button
            type="button"
            class="icon"
            aria-pressed={chosen.hidePatient}
            aria-label="Hide patient data"
            title="Hide patient data"
            onClick={toggleHide}
          >
            <Icon name={chosen.hidePatient ? "hidden" : "shown"} />
          </button>
          <button
            type="button"
            class="icon"
            aria-label={isDark() ? "Use the light theme" : "Use the dark theme"}
            title={isDark() ? "Use the light theme" : "Use the dark theme"}
            onClick={toggleTheme}
          >
            <Icon name={isDark() ? "sun" : "moon"} />
          </button>
          <button
            type="button"
            class="icon for-keyboards"
            aria-expanded={help}
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
            onClick={toggleHelp}
          >
            <Icon name="keyboard" />
          </button>
          <Person />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {help && <Help viewing={viewing} onClose={toggleHelp} />}
      <footer class="bottom">
        <strong>Not for diagnostic use</strong>
        <span class="intended" title={me.product.intended_use}>
          {me.product.intended_use}
        </span>
        <span class="package">
          {me.product.package} {me.product.package_version} · {me.product.operating_point} · lungflag{" "}
          {me.product.version}
        </span>
      </footer>
      <div class="unseen" role="status" aria-live="polite" ref={setRegion} />
    </div>
  );
}

interface TabProps {
  to: string;
  path: string;
  also?: string;
  children: ComponentChildren;
}

function Tab({ to, path, also, children }: TabProps) {
  const current = path === to || (also !== undefined && path.startsWith(also));
  return (
    <a class="tab" href={to} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  );
}

function Person() {
  const { me } = useSession();
  if (!me.sign_in) {
    return (
      <span class="person person-local" title="On loopback nobody signs in">
        {me.name}
      </span>
    );
  }
  async function signOut(): Promise<void> {
    await change("DELETE", "/session").catch(() => undefined);
    location.assign("/sign-in");
  }
  return (
    <span class="person">
      <span class="person-name">{me.name}</span>
      <button type="button" class="plain" aria-label="Sign out" onClick={() => void signOut()}>
        <Icon name="out" />
        <span>Sign out</span>
      </button>
    </span>
  );
}

interface NoticeProps {
  title: string;
  tone?: "plain" | "lost" | "wrong";
  children?: ComponentChildren;
}

/** An empty or failed state: what happened, and what to do. */
export function Notice({ title, tone = "plain", children }: NoticeProps) {
  return (
    <section class={`notice notice-${tone}`} role={tone === "wrong" ? "alert" : undefined}>
      <h2>{title}</h2>
      {children && <div class="notice-body">{children}</div>}
    </section>
  );
}
