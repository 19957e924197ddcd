// One Yjs provider with its document, driven by the tests: `node provider.js y-websocket|y-partykit|y-partyserver`.

import { createHash } from "node:crypto";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { drive, emit } from "./driver.js";

const make = {
  "y-websocket": async () => {
    const { WebsocketProvider } = await import("y-websocket");
    return (host, party, room, doc) =>
      new WebsocketProvider(`ws://${host}/parties/${party}`, room, doc, { WebSocketPolyfill: WebSocket, disableBc: true });
  },
  "y-partykit": async () => {
    const { default: YPartyKitProvider } = await import("y-partykit/provider");
    return (host, party, room, doc) => new YPartyKitProvider(host, room, doc, { party, WebSocketPolyfill: WebSocket });
  },
  "y-partyserver": async () => {
    const { default: YProvider } = await import("y-partyserver/provider");
    return (host, party, room, doc) => new YProvider(host, room, doc, { party, WebSocketPolyfill: WebSocket });
  },
};

const connect = await make[process.argv[2]]();
const doc = new Y.Doc();
const body = doc.getText("body");
let provider;
let disconnects = 0;
let typing;
let typed = 0;

const changed = () => emit("changed");

drive({
  open({ host, party, room }) {
    provider = connect(host, party, room, doc);
    doc.on("update", changed);
    provider.awareness.on("change", changed);
    provider.on("sync", changed);
    provider.on("status", changed);
    provider.on("status", ({ status }) => (disconnects += status === "disconnected"));
    return { client: doc.clientID };
  },
  insert: ({ index, text }) => body.insert(index, text),
  append: ({ text }) => body.insert(body.length, text),
  type: ({ letter, every }) => void (typing = setInterval(() => body.insert(body.length, `${letter}${typed++} `), every)),
  stopTyping() {
    clearInterval(typing);
    return typed;
  },
  paste: ({ size }) => body.insert(0, "0123456789abcde\n".repeat(Math.ceil(size / 16)).slice(0, size)),
  delete: ({ index, length }) => body.delete(index, length),
  present: ({ name }) => provider.awareness.setLocalStateField("user", { name }),
  snapshot: () => {
    const text = body.toString();
    const here = [...provider.awareness.getStates().values()].map((state) => state.user?.name).filter(Boolean);
    return {
      connected: provider.wsconnected,
      synced: provider.synced,
      disconnects,
      here: here.sort(),
      text: text.length < 10_000 ? text : null,
      length: text.length,
      sha256: createHash("sha256").update(text).digest("hex"),
      pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null,
    };
  },
  disconnect: () => provider.disconnect(),
  connect: () => provider.connect(),
  leave: () => provider.destroy(),
});
