// The shared document of a room: Yjs, the published y-websocket provider, and CodeMirror on top.

import { defaultKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

import { cursors } from "./cursors";
import { cleanPerson, freeColor, type Me, type Person } from "./identity";
import { markdown } from "./markdown";

/** How it stands with the connection: not yet there, there and in step with the server, or gone for now. */
export type Standing = "connecting" | "live" | "offline";

export interface DocumentRoom {
  /** Leaves the room and takes the editor away. */
  close(): void;
  focus(): void;
}

export interface DocumentOptions {
  parent: HTMLElement;
  /** The party's address, as `ws://host/parties/main`. */
  url: string;
  room: string;
  me: Me;
  onStanding(standing: Standing): void;
  /** Everybody else who is in the room. */
  onPeople(others: Person[]): void;
}

/** Joins the document of a room and edits its text `body` in `parent`. */
export function openDocument(options: DocumentOptions): DocumentRoom {
  const doc = new Y.Doc();
  const text = doc.getText("body");
  // Windows of one browser talk through the server too, as everybody else does: what the page shows is what it does.
  const provider = new WebsocketProvider(options.url, encodeURIComponent(options.room), doc, { disableBc: true });
  const view = openEditor(options.parent, text, provider);
  const stopWatching = options.me.watch(({ name, color }) => {
    provider.awareness.setLocalStateField("user", { name, color, colorLight: `${color}33` });
  });
  const stopStanding = followStanding(provider, options.onStanding);
  const stopUnsent = guardUnsent(provider);

  const people = () => {
    const others = [...provider.awareness.getStates()]
      .filter(([client]) => client !== doc.clientID)
      .map(([client, state]) => ({ client, ...cleanPerson(state.user) }));
    options.onPeople(others);
    yieldColor(options.me, doc.clientID, others);
  };
  provider.awareness.on("change", people);
  // To be seen again by those who were cut off as well: they forget us then, but not our clock, and take only what is
  // newer (y-protocols, applyAwarenessUpdate). Without this they would wait up to 15 s for our next sign of life.
  provider.on("status", ({ status }) => {
    if (status === "connected") provider.awareness.setLocalState(provider.awareness.getLocalState());
  });

  return {
    close() {
      stopWatching();
      stopStanding();
      stopUnsent();
      provider.awareness.off("change", people);
      view.destroy();
      provider.destroy();
      doc.destroy();
    },
    focus: () => view.focus(),
  };
}

/** Of two people with one colour the one with the higher client id takes another, while there is one. */
function yieldColor(me: Me, client: number, others: (Person & { client: number })[]): void {
  const clash = others.some((other) => other.color === me.person.color && other.client < client);
  const free = clash ? freeColor(others.map(({ color }) => color)) : null;
  if (free !== null) me.paint(free);
}

function openEditor(parent: HTMLElement, text: Y.Text, provider: WebsocketProvider): EditorView {
  const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
  return new EditorView({
    parent,
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        EditorView.cspNonce.of(nonce),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          "aria-label": "Shared document",
          "data-testid": "editor",
          spellcheck: "true",
          autocapitalize: "sentences",
        }),
        placeholder("Write something. Everyone in this room sees it as you type."),
        drawSelection(),
        markdown,
        // Tab is not bound, so that the keyboard can leave the editor.
        keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
        yCollab(text, null),
        cursors(text, provider.awareness), // after the binding: it publishes positions in the text just written
      ],
    }),
  });
}

function followStanding(provider: WebsocketProvider, tell: (standing: Standing) => void): () => void {
  let told: Standing = "connecting";
  const say = (standing: Standing) => {
    if (standing !== told) tell((told = standing));
  };
  const live = (synced: boolean) => {
    if (synced) say("live");
  };
  const gone = () => say("offline");
  provider.on("sync", live);
  provider.on("connection-close", gone);
  provider.on("connection-error", gone);
  tell(told);
  return () => {
    provider.off("sync", live);
    provider.off("connection-close", gone);
    provider.off("connection-error", gone);
  };
}

/** Asks before the window closes on edits that only this window has. */
function guardUnsent(provider: WebsocketProvider): () => void {
  let unsent = false;
  const edited = (_update: Uint8Array, origin: unknown) => {
    if (origin !== provider && !provider.synced) unsent = true;
  };
  const synced = (now: boolean) => {
    if (now) unsent = false;
  };
  const leaving = (event: BeforeUnloadEvent) => {
    if (unsent) event.preventDefault();
  };
  provider.doc.on("update", edited);
  provider.on("sync", synced);
  addEventListener("beforeunload", leaving);
  return () => {
    provider.doc.off("update", edited);
    provider.off("sync", synced);
    removeEventListener("beforeunload", leaving);
  };
}
