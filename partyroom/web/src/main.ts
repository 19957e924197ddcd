// The home page: opens the room that the address names, and ties its parts together.

import { cleanRoom, currentRoom, pageOf, ws } from "./address";
import { openChat } from "./chat";
import { copyButton } from "./copy";
import { type DocumentRoom, openDocument, type Standing } from "./document";
import { Me, type Person } from "./identity";
import { byId, recall, remember } from "./page";
import { editName, showPeople } from "./people";
import { canEnter, type Doors, showRooms } from "./rooms";
import { ask, follow, type Overview, type Party, READY_MADE } from "./server";
import { showSnippets, tabs } from "./snippets";

const STANDINGS: Record<Standing, [label: string, title: string]> = {
  connecting: ["Connecting", "Reaching the server"],
  live: ["Live", "Every change is on its way to the server and to everyone here as you make it"],
  offline: ["Offline", "Trying to reach the server again; what you write waits in this window"],
};

class Page {
  #me = new Me();
  #room = currentRoom();
  #others: Person[] = [];
  #overview: Overview | null = null;
  #document: DocumentRoom | null = null;
  #leave: (() => void)[] = [];

  constructor(readonly doors: Doors) {
    editName(this.#me);
    tabs();
    copyButton(byId<HTMLButtonElement>("share"), () => pageOf(this.#room));
    addEventListener("popstate", () => this.#open(currentRoom()));
    byId("rooms").addEventListener("click", (event) => this.#followLink(event));
    byId<HTMLFormElement>("open-form").addEventListener("submit", (event) => this.#openTyped(event));
    this.#furnish();
    this.#open(this.#room);
  }

  /** Takes in what the server tells about itself. */
  tell(overview: Overview | null): void {
    this.#overview = overview;
    this.#list();
    if (!canEnter(this.doors)) showStanding(overview ? "live" : "offline");
    const { version = "", connections = null, listed = true } = overview ?? {};
    byId("unlisted").hidden = listed;
    byId("version").textContent = version && `partyroom ${version}`;
    byId("connections").textContent =
      connections === null ? "" : `${connections} ${connections === 1 ? "connection" : "connections"} open`;
  }

  /** Takes away what this server has no party for. */
  #furnish(): void {
    const { document: documents, chat } = this.doors;
    byId("editor-pane").hidden = documents === null;
    byId("no-document").hidden = documents !== null;
    byId("chat-pane").hidden = chat === null;
    byId("workspace").classList.toggle("without-chat", chat === null);
    const outside = !canEnter(this.doors);
    for (const id of ["here", "crowd", "share", "rooms-part", "invitation"]) byId(id).hidden = outside;
    byId("workspace").classList.toggle("outside", outside);
    if (!outside) return;
    byId("title").textContent = "The rooms are open.";
    byId("elsewhere-title").textContent = "Live rooms";
  }

  #open(room: string): void {
    for (const leave of this.#leave.splice(0)) leave();
    this.#document = null;
    this.#room = room;
    this.#people([]);
    byId("room-name").textContent = room;
    document.title = canEnter(this.doors) ? `${room} · partyroom` : "partyroom";
    showSnippets(this.doors, room);
    const { document: documents, chat } = this.doors;
    if (documents !== null) this.#openDocument(documents, room);
    if (chat !== null) this.#openChat(chat, room);
  }

  #openDocument(party: string, room: string): void {
    const opened = openDocument({
      parent: byId("editor"),
      url: `${ws}/parties/${encodeURIComponent(party)}`,
      room,
      me: this.#me,
      onStanding: showStanding,
      onPeople: (others) => this.#people(others),
    });
    this.#document = opened;
    this.#leave.push(() => opened.close());
  }

  #openChat(party: string, room: string): void {
    const onReach = (reached: boolean) => {
      if (this.doors.document === null) showStanding(reached ? "live" : "offline");
    };
    this.#leave.push(openChat({ party, room, me: this.#me, onReach }));
  }

  #people(others: Person[]): void {
    this.#others = others;
    showPeople(others, this.doors.document !== null);
    this.#list();
  }

  #list(): void {
    showRooms(this.#overview, this.doors, this.#room, this.#others.length + 1);
  }

  /** Goes to a room without loading the page anew. */
  #go(room: string): void {
    if (room === this.#room) return;
    history.pushState(null, "", pageOf(room));
    this.#open(room);
  }

  #followLink(event: MouseEvent): void {
    const link = (event.target as Element).closest<HTMLElement>("a[data-room]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.#go(link.dataset.room ?? "");
  }

  #openTyped(event: SubmitEvent): void {
    event.preventDefault();
    const input = byId<HTMLInputElement>("open-input");
    const room = cleanRoom(input.value);
    input.value = "";
    if (room === null) return;
    this.#go(room);
    this.#document?.focus();
  }
}

function showStanding(standing: Standing): void {
  const [label, title] = STANDINGS[standing];
  const status = byId("status");
  status.dataset.state = standing;
  status.title = title;
  byId("status-label").textContent = label;
  byId("offline").hidden = standing !== "offline";
}

/** The first document party and the first chat of this server; the ready-made ones where it does not tell. */
function findDoors(parties: Party[]): Doors {
  const known = parties.length ? parties : READY_MADE;
  const first = (kind: string) => known.find((party) => party.kind === kind)?.name ?? null;
  const other = known.find(({ kind }) => kind !== "document" && kind !== "chat")?.name ?? null;
  return { document: first("document"), chat: first("chat"), other };
}

function toggleTheme(): void {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme ?? (system.matches ? "dark" : "light");
  const button = byId<HTMLButtonElement>("theme");
  button.addEventListener("click", () => {
    const next = now() === "dark" ? "light" : "dark";
    const asSystem = next === (system.matches ? "dark" : "light");
    if (asSystem) delete root.dataset.theme;
    else root.dataset.theme = next;
    remember("localStorage", "partyroom.theme", asSystem ? null : next);
  });
  if (recall("localStorage", "partyroom.theme") === null) delete root.dataset.theme;
}

toggleTheme();
const overview = await ask();
const page = new Page(findDoors(overview?.parties ?? []));
page.tell(overview);
follow((told) => page.tell(told));
