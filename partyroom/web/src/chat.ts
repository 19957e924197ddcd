// The chat beside the document: JSON over a PartySocket, which queues what is said while it is not connected.

import { PartySocket } from "partysocket";

import { host, secure } from "./address";
import { cleanPerson, type Me, type Person } from "./identity";
import { byId, make } from "./page";
import { avatar } from "./people";

interface Message extends Person {
  id: string;
  text: string;
  at: number;
}

const TOGETHER = 5 * 60_000; // messages of one person within this many ms stand under one name
const NEAR = 48; // as close to the end, in px, the log follows new messages

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export interface ChatOptions {
  party: string;
  room: string;
  me: Me;
  /** Whether the server is in reach, at each change. */
  onReach(reached: boolean): void;
}

/** Joins the chat of a room; the answer leaves it. */
export function openChat({ party, room, me, onReach }: ChatOptions): () => void {
  const log = new Log();
  const socket = new PartySocket({
    host,
    party: encodeURIComponent(party),
    room: encodeURIComponent(room),
    protocol: secure ? "wss" : "ws",
  });
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") hear(log, data);
  });
  const form = byId<HTMLFormElement>("chat-form");
  const input = byId<HTMLInputElement>("chat-input");
  const say = (event: SubmitEvent) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    complain("");
    socket.send(JSON.stringify({ type: "say", text, ...me.person }));
    input.value = "";
  };
  const reached = () => {
    const open = socket.readyState === WebSocket.OPEN;
    byId("chat-waiting").hidden = open;
    onReach(open);
  };
  socket.addEventListener("open", reached);
  socket.addEventListener("close", reached);
  form.addEventListener("submit", say);
  return () => {
    socket.removeEventListener("close", reached);
    form.removeEventListener("submit", say);
    socket.close();
    log.replace([]);
  };
}

function hear(log: Log, data: string): void {
  const event = parse(data);
  if (event?.type === "history" && Array.isArray(event.messages)) {
    log.replace(event.messages.map(cleanMessage).filter((message) => message !== null));
  } else if (event?.type === "message") {
    const message = cleanMessage(event);
    if (message) log.add(message);
  } else if (event?.type === "error" && typeof event.message === "string") {
    complain(event.message);
  }
}

/** Says what the server did not take; an empty text says that all is well again. */
function complain(problem: string): void {
  byId("chat-problem").textContent = problem && `Not sent: ${problem}`;
}

function parse(data: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // somebody else's party may say other things in this room
  }
}

function cleanMessage(value: unknown): Message | null {
  const { id, text, at } = (typeof value === "object" && value !== null ? value : {}) as Partial<Message>;
  if (typeof text !== "string" || typeof at !== "number" || !Number.isFinite(at)) return null;
  return { id: String(id), text, at, ...cleanPerson(value) };
}

class Log {
  #list = byId("chat-log");
  #seen = new Set<string>();
  #last: Message | null = null;

  /** Shows these messages instead of all others, without reading the whole history out. */
  replace(messages: Message[]): void {
    this.#list.setAttribute("aria-live", "off");
    this.#list.replaceChildren();
    this.#seen.clear();
    this.#last = null;
    for (const message of messages) this.add(message);
    byId("chat-empty").hidden = messages.length > 0;
    this.#list.scrollTop = this.#list.scrollHeight;
    requestAnimationFrame(() => this.#list.setAttribute("aria-live", "polite"));
  }

  add(message: Message): void {
    if (this.#seen.has(message.id)) return;
    this.#seen.add(message.id);
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    const following = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#list.append(this.#item(message));
    byId("chat-empty").hidden = true;
    this.#last = message;
    if (following) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #item(message: Message): HTMLElement {
    const words = make("p", "words", message.text);
    if (this.#goesOn(message)) return make("div", "message more", make("span", "unseen", `${message.name}:`), words);
    const when = make("time", "", clock.format(message.at));
    when.dateTime = new Date(message.at).toISOString();
    when.title = calendar.format(message.at);
    const name = make("span", "name", message.name);
    name.style.setProperty("--who", message.color);
    return make("div", "message", avatar(message), make("p", "head", name, when), words);
  }

  #goesOn({ name, color, at }: Message): boolean {
    const last = this.#last;
    return last !== null && last.name === name && last.color === color && at - last.at < TOGETHER;
  }
}
