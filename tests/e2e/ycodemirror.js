// A page with y-codemirror.next as its README shows it: what most editors in browsers do about cursors.

import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { yCollab } from "y-codemirror.next";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

window.join = (url, room, name) => {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(url, room, doc, { disableBc: true });
  const text = doc.getText("body");
  provider.awareness.setLocalStateField("user", { name, color: "#d6336c", colorLight: "#d6336c33" });
  const collab = yCollab(text, provider.awareness);
  window.view = new EditorView({
    state: EditorState.create({ doc: text.toString(), extensions: [collab] }),
    parent: document.body,
  });
};
window.select = (anchor, head) => {
  window.view.focus();
  window.view.dispatch({ selection: { anchor, head } });
};
