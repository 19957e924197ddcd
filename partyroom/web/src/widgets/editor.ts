// The editor of shared texts in notebooks: Yjs, y-websocket and CodeMirror in one module, which a kernel sends once to
// each page (`partyroom_widgets/text.py`). The text goes straight to the server; who is where in it is told by way of
// the kernel, so that a person who has a kernel and a page is here once.

import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

import { cursors } from "../cursors";
import { language } from "./languages";
import { type Relay, roomSocket, type Transport } from "./socket";

/** Somebody's place in a text, as the kernel tells it. */
export interface Caret {
  client: number;
  user: { name: string; color: string };
  cursor: unknown;
}

export interface Options {
  parent: HTMLElement;
  /** The text's name in the document. */
  name: string;
  language: string;
  label: string;
  relay: Relay;
  onStanding(standing: "connecting" | "live" | "offline", transport: Transport | ""): void;
}

export interface Editor {
  show(carets: Caret[]): void;
  setLanguage(name: string): void;
  setReadOnly(readOnly: boolean): void;
  close(): void;
}

/** Opens a text of the kernel's room. */
export function open(options: Options): Editor {
  const doc = new Y.Doc();
  const text = doc.getText(options.name);
  let transport: Transport | "" = "";
  const provider = new WebsocketProvider("ws://room", "text", doc, {
    disableBc: true,
    maxBackoffTime: 5000,
    WebSocketPolyfill: roomSocket(options.relay, (way) => (transport = way)),
  });
  provider.awareness.setLocalState(null); // the kernel is who is here
  provider.on("sync", (synced: boolean) => synced && options.onStanding("live", transport));
  provider.on("connection-close", () => options.onStanding("offline", ""));
  options.onStanding("connecting", "");

  const places = new Places(options.relay);
  const tongue = new Compartment();
  const access = new Compartment();
  const view = new EditorView({
    parent: options.parent,
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": options.label }),
        placeholder("Write here, together."),
        drawSelection(),
        tongue.of(spoken(options.language)),
        access.of([]),
        keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
        yCollab(text, null),
        cursors(text, places as never), // after the binding: it publishes positions in the text just written
        EditorView.domEventHandlers({ blur: () => void places.setLocalStateField("cursor", null) }),
      ],
    }),
  });
  return {
    show: (carets) => places.show(carets),
    setLanguage: (name) => view.dispatch({ effects: tongue.reconfigure(spoken(name)) }),
    setReadOnly: (readOnly) =>
      view.dispatch({ effects: access.reconfigure(readOnly ? EditorState.readOnly.of(true) : []) }),
    close() {
      places.setLocalStateField("cursor", null);
      view.destroy();
      provider.destroy();
      doc.destroy();
    },
  };
}

/** In code, Tab indents, and Escape before it leaves the editor (CodeMirror's own rule); elsewhere Tab leaves it. */
function spoken(name: string) {
  const prose = name === "" || name === "markdown";
  return [language(name), prose ? EditorView.contentAttributes.of({ spellcheck: "true" }) : keymap.of([indentWithTab])];
}

/** Who is where, with as much of y-protocols' `Awareness` as cursors need; ours goes to the kernel. */
class Places {
  readonly clientID = -1;
  #others = new Map<number, Omit<Caret, "client">>();
  #mine: { cursor: unknown } = { cursor: null };
  #listeners = new Set<(change: Record<"added" | "updated" | "removed", number[]>) => void>();

  constructor(readonly relay: Relay) {}

  getStates(): Map<number, Omit<Caret, "client">> {
    return this.#others;
  }

  getLocalState(): { cursor: unknown } {
    return this.#mine;
  }

  setLocalStateField(_field: "cursor", cursor: unknown): void {
    if (cursor === null && this.#mine.cursor === null) return;
    this.#mine = { cursor };
    this.relay.send({ type: "cursor", cursor });
  }

  on(_event: "change", listener: (change: Record<"added" | "updated" | "removed", number[]>) => void): void {
    this.#listeners.add(listener);
  }

  off(_event: "change", listener: (change: Record<"added" | "updated" | "removed", number[]>) => void): void {
    this.#listeners.delete(listener);
  }

  show(carets: Caret[]): void {
    const before = this.#others;
    this.#others = new Map(carets.map(({ client, user, cursor }) => [client, { user, cursor }]));
    const removed = [...before.keys()].filter((client) => !this.#others.has(client));
    for (const listener of this.#listeners) listener({ added: [], updated: [...this.#others.keys()], removed });
  }
}
