/** Talks to the station's API; everything else of the frontend goes through here. */

const BASE = "/api/v1";

/** A refusal that the server explained (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail || title);
  }
}

/** The server did not answer at all: it is down, restarting, or the network is. */
export class Unreachable extends Error {}

let csrf = "";
let onSignedOut: () => void = () => undefined;

export function setCsrf(token: string): void {
  csrf = token;
}

/** Names what happens when the session has ended. */
export function whenSignedOut(action: () => void): void {
  onSignedOut = action;
}

async function problem(response: Response): Promise<Problem> {
  try {
    const body = (await response.json()) as { title?: string; detail?: string };
    return new Problem(response.status, body.title ?? response.statusText, body.detail ?? "");
  } catch {
    return new Problem(response.status, response.statusText, "");
  }
}

export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (init.method && init.method !== "GET") headers.set("X-CSRF-Token", csrf);
  let response: Response;
  try {
    response = await fetch(BASE + path, { ...init, headers, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable("the station does not answer");
  }
  // A proxy in front answers these while the station restarts.
  if (response.status === 502 || response.status === 504) {
    throw new Unreachable("the station does not answer");
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "/session") onSignedOut();
  throw await problem(response);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { headers: { Accept: "application/json" }, signal });
  return (await response.json()) as T;
}

/** Sends a JSON body; answers the JSON answer, or undefined where there is none. */
export async function change<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const response = await send(path, init);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** The path of a part of an image. */
export function imagePath(image: string, part = ""): string {
  return `/images/${encodeURIComponent(image)}${part ? `/${part}` : ""}`;
}

/** The address that an <img> or a link may use. */
export function address(path: string): string {
  return BASE + path;
}
