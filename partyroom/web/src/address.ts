// Where things are. Everything is relative to this page, so it also works below a prefix, behind somebody's proxy.

const base = new URL(".", location.href);
const LONGEST_ROOM = 512; // bytes, the server's limit

/** The server as a client program names it: host, port, and the prefix if there is one, without a closing slash. */
export const host = (base.host + base.pathname).replace(/\/$/, "");
export const secure = base.protocol === "https:";
export const http = `${secure ? "https" : "http"}://${host}`;
export const ws = `${secure ? "wss" : "ws"}://${host}`;

/** A room id fit for a URL, or `null`: empty, dots alone (a URL would swallow them) or too long. */
export function cleanRoom(room: string | null): string | null {
  const id = room?.trim() ?? "";
  if (!id || id === "." || id === ".." || new TextEncoder().encode(id).length > LONGEST_ROOM) return null;
  return id;
}

/** The room that the address bar names. */
export function currentRoom(): string {
  return cleanRoom(new URL(location.href).searchParams.get("room")) ?? "welcome";
}

/** This page in the given room, to share. */
export function pageOf(room: string): string {
  const url = new URL(base);
  url.searchParams.set("room", room);
  return url.href;
}
