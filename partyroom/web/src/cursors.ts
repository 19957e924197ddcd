// Where the others are in the text: a caret with a name flag, and their selection, each in its owner's colour.
// The awareness fields are those of y-codemirror.next (`user`, `cursor`), so both see each other. This is not its own
// remote selection plugin because that one puts strings from the network into style attributes, which our
// Content-Security-Policy forbids, and it hides names until the pointer is on them.

import { type Extension, type Range, RangeSet, StateEffect } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate, WidgetType } from "@codemirror/view";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";

import { cleanPerson, type Person } from "./identity";

const LETTER = 7; // px, about the width of one in a name flag
const PADDING = 16; // px, of a flag, and some space beside it

const moved = StateEffect.define<null>();

class Caret extends WidgetType {
  constructor(
    readonly person: Person,
    readonly moves: number,
  ) {
    super();
  }

  // A caret that moved is a new element: that starts the animation of its flag anew, so no timer is needed.
  override eq(other: Caret): boolean {
    const { name, color } = this.person;
    return other.moves === this.moves && other.person.name === name && other.person.color === color;
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = "caret";
    caret.dataset.name = this.person.name; // shown by the style sheet, so it is never part of the document's text
    caret.style.setProperty("--who", this.person.color);
    caret.setAttribute("aria-hidden", "true");
    return caret;
  }

  override get estimatedHeight(): number {
    return -1;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

/** Whose caret is where, and how often it has moved. */
interface Place {
  key: string;
  moves: number;
}

class Cursors {
  decorations: DecorationSet = RangeSet.empty;
  #places = new Map<number, Place>();

  constructor(
    readonly view: EditorView,
    readonly text: Y.Text,
    readonly awareness: Awareness,
  ) {
    awareness.on("change", this.#changed);
    this.decorations = this.#draw();
  }

  destroy(): void {
    this.awareness.off("change", this.#changed);
  }

  update(update: ViewUpdate): void {
    this.#publish(update);
    const told = update.transactions.some((transaction) => transaction.effects.some((effect) => effect.is(moved)));
    if (update.docChanged || told) this.decorations = this.#draw();
    if (update.docChanged || told || update.geometryChanged) this.view.requestMeasure(this.#turnFlags);
  }

  /** Lets a flag that would be cut off at the right edge hang to the left of its caret. */
  #turnFlags = {
    read: (view: EditorView): [HTMLElement, boolean][] => {
      const edge = view.scrollDOM.getBoundingClientRect().right;
      const carets = [...view.contentDOM.querySelectorAll<HTMLElement>(".caret")];
      return carets.map((caret) => {
        const width = (caret.dataset.name?.length ?? 0) * LETTER + PADDING;
        return [caret, caret.getBoundingClientRect().left + width > edge];
      });
    },
    write: (turns: [HTMLElement, boolean][]): void => {
      for (const [caret, left] of turns) caret.classList.toggle("left", left);
    },
  };

  #changed = ({ added, updated, removed }: Record<"added" | "updated" | "removed", number[]>): void => {
    for (const client of removed) this.#places.delete(client);
    const others = [...added, ...updated, ...removed].some((client) => client !== this.awareness.clientID);
    if (others) this.view.dispatch({ effects: moved.of(null) });
  };

  /** Tells the others where we are, while the editor has the focus; afterwards our caret stays where it was. */
  #publish(update: ViewUpdate): void {
    const mine = this.awareness.getLocalState();
    if (mine === null || !update.view.hasFocus) return;
    if (!update.selectionSet && !update.docChanged && !update.focusChanged) return;
    const { anchor, head } = update.state.selection.main;
    const cursor = {
      anchor: Y.createRelativePositionFromTypeIndex(this.text, anchor),
      head: Y.createRelativePositionFromTypeIndex(this.text, head),
    };
    if (JSON.stringify(mine.cursor) !== JSON.stringify(cursor)) this.awareness.setLocalStateField("cursor", cursor);
  }

  #draw(): DecorationSet {
    const ranges: Range<Decoration>[] = [];
    for (const [client, state] of this.awareness.getStates()) {
      if (client === this.awareness.clientID) continue;
      const anchor = this.#index(state.cursor?.anchor);
      const head = this.#index(state.cursor?.head);
      if (anchor === null || head === null) continue;
      const person = cleanPerson(state.user);
      if (anchor !== head) ranges.push(selection(person).range(Math.min(anchor, head), Math.max(anchor, head)));
      const widget = new Caret(person, this.#moves(client, state.cursor));
      ranges.push(Decoration.widget({ side: head > anchor ? -1 : 1, widget }).range(head));
    }
    return Decoration.set(ranges, true);
  }

  #moves(client: number, cursor: unknown): number {
    const key = JSON.stringify(cursor);
    const place = this.#places.get(client);
    if (place?.key === key) return place.moves;
    const moves = (place?.moves ?? 0) + 1;
    this.#places.set(client, { key, moves });
    return moves;
  }

  /** The index in our text of a position that another client sent; `null` where it makes no sense to us. */
  #index(position: unknown): number | null {
    if (typeof position !== "object" || position === null || !this.text.doc) return null;
    try {
      const relative = Y.createRelativePositionFromJSON(position);
      const found = Y.createAbsolutePositionFromRelativePosition(relative, this.text.doc);
      if (found?.type !== this.text) return null;
      return Math.min(found.index, this.view.state.doc.length);
    } catch {
      return null; // not a position at all: one client's nonsense must not cost us the editor
    }
  }
}

function selection(person: Person): Decoration {
  return Decoration.mark({ class: "selected", attributes: { style: `--who: ${person.color}` } });
}

/** Shows everybody's caret and selection in `text`, and publishes ours. */
export function cursors(text: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.define((view) => new Cursors(view, text, awareness), {
    decorations: (plugin) => plugin.decorations,
  });
}
