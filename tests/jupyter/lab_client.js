// A y-websocket client for the page that loads it, as a Lab extension would have one: no token, the page's own login.

import { WebsocketProvider } from "y-websocket";
import { Doc } from "yjs";

globalThis.join = (base, room, name) => {
  const doc = new Doc();
  const provider = new WebsocketProvider(`${base}parties/main`, room, doc, { disableBc: true });
  provider.awareness.setLocalStateField("user", { name });
  const here = () => [...provider.awareness.getStates().values()].map((state) => state.user?.name).sort();
  globalThis.room = { write: (text) => doc.getText("body").insert(0, text), read: () => doc.getText("body").toString(), here };
};
