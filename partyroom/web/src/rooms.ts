// The list of rooms: the document and the chat of one id are one room to people, so they share a line.

import { pageOf } from "./address";
import { byId, make } from "./page";
import type { Overview } from "./server";

/** The parties that this page opens, either of which may be missing, and one of another kind if there is any. */
export interface Doors {
  document: string | null;
  chat: string | null;
  other: string | null;
}

/** Whether this page itself can be in a room of this server. */
export function canEnter(doors: Doors): boolean {
  return doors.document !== null || doors.chat !== null;
}

/** Shows the rooms that this page can open, the current one first, and then the rooms of other parties. */
export function showRooms(overview: Overview | null, doors: Doors, current: string, here: number): void {
  const people = new Map<string, number>();
  if (canEnter(doors)) people.set(current, here);
  const elsewhere: HTMLElement[] = [];
  for (const line of overview?.rooms ?? []) {
    if (line.party === doors.document || line.party === doors.chat) {
      people.set(line.room, Math.max(people.get(line.room) ?? 0, line.people));
    } else {
      elsewhere.push(make("li", "", make("span", "room", roomName(`${line.party}/${line.room}`), count(line.people))));
    }
  }
  const first = (room: string) => Number(room !== current);
  const rooms = [...people].sort(([a], [b]) => first(a) - first(b) || a.localeCompare(b));
  fill(byId("rooms"), rooms.map(([room, count]) => door(room, count, room === current)));
  if (!canEnter(doors) && elsewhere.length === 0) elsewhere.push(make("li", "nothing", "No room is live right now."));
  fill(byId("elsewhere"), elsewhere);
  byId("elsewhere-part").hidden = elsewhere.length === 0;
}

/** Replaces the children only where something changed, so that the keyboard's place in the list survives a poll. */
function fill(list: HTMLElement, items: HTMLElement[]): void {
  const focused = list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.room : null;
  const fresh = make("ul", "", ...items);
  if (fresh.innerHTML === list.innerHTML) return;
  list.replaceChildren(...items);
  if (focused) list.querySelector<HTMLElement>(`[data-room="${CSS.escape(focused)}"]`)?.focus();
}

function door(room: string, people: number, current: boolean): HTMLElement {
  const link = make("a", "room", roomName(room), count(people));
  link.href = pageOf(room);
  link.dataset.room = room;
  if (current) link.setAttribute("aria-current", "page");
  return make("li", "", link);
}

function roomName(name: string): HTMLElement {
  const label = make("span", "room-name", name);
  label.title = name;
  return label;
}

function count(people: number): HTMLElement {
  const label = make("span", "count", String(people));
  label.append(make("span", "unseen", people === 1 ? " person" : " people"));
  if (people === 0) label.classList.add("none");
  return label;
}
