// One Yjs provider with its document, driven by the tests: `node provider.js y-websocket`, or another of providers.js.

import { createHash } from "node:crypto";
import { drive, emit } from "./driver.js";
import { connector } from "./providers.js";

const family = process.argv[2];

/** What a provider knows by itself, where it does: whether all that it sent is stored, and whether it is connected. */
const storedOf = { "y-sweet": () => !provider.hasLocalChanges, hocuspocus: () => !provider.hasUnsyncedChanges }[family];
const connectedOf = { hocuspocus: () => provider.configuration.websocketProvider.status === "connected" }[family];

/** Resolves when the server has on disk what was sent so far. Some providers ask by themselves, the others are helped. */
const saved = ({ ws }) =>
  new Promise((resolve) => {
    ws.addEventListener("message", function heard({ data }) {
      if (new Uint8Array(data)[0] !== 102) return;
      ws.removeEventListener("message", heard);
      resolve();
    });
    ws.send(new Uint8Array([102, 0]));
  });

const connect = await connector(family);
const { Doc } = await import(family.startsWith("@y/") ? "@y/y" : "yjs");
const doc = new Doc();
const body = doc.getText?.("body") ?? doc.get("body"); // in the @y line all shared types are one
let provider;
let disconnects = 0;
let typing;
let typed = 0;
let asked = 0;
let answered = 0;

const changed = () => emit("changed");

drive({
  open({ host, party, room, params = {}, token }) {
    provider = connect(host, party, room, doc, params, token);
    doc.on("update", changed);
    provider.awareness.on("change", changed);
    for (const event of ["sync", "synced", "status", "local-changes", "unsyncedChanges"]) provider.on(event, changed);
    provider.on("status", ({ status }) => (disconnects += status === "disconnected"));
    if (family === "y-partyserver") provider.on("custom-message", (text) => emit("custom", { text }));
    return { client: doc.clientID };
  },
  say: ({ text }) => provider.sendMessage(text),
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
  confirm() {
    if (storedOf) return;
    asked++;
    saved(provider).then(() => (answered++, changed()));
  },
  snapshot: () => {
    const text = body.toString();
    const here = [...provider.awareness.getStates().values()].map((state) => state.user?.name).filter(Boolean);
    return {
      connected: connectedOf ? connectedOf() : provider.wsconnected,
      synced: provider.synced,
      saved: storedOf ? storedOf() : answered === asked,
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
  leave() {
    if (family === "y-sweet") provider.connect = () => {}; // or it connects again as soon as its socket has closed
    provider.destroy();
  },
});
