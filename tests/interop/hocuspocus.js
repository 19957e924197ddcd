// One socket of @hocuspocus/provider with any number of documents, driven by the tests: `node hocuspocus.js`.
//
// Providers are named as the test names them: by default as their documents.

import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import { WebSocket } from "ws";
import { drive, emit } from "./driver.js";

const changed = () => emit("changed");
const providers = {};
const tokens = {};
let socket;
let disconnects = 0;

drive({
  connect({ host, room = "any" }) {
    const url = `ws://${host}/parties/hub/${room}`;
    socket = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket, delay: 100, minDelay: 100 });
    socket.on("status", changed);
    socket.on("disconnect", () => disconnects++);
  },
  open({ name, document = name, token = null, sessionAwareness = false }) {
    tokens[name] = token;
    const provider = new HocuspocusProvider({
      websocketProvider: socket,
      name: document,
      token: () => tokens[name],
      sessionAwareness,
      onAuthenticationFailed: ({ reason }) => emit("refused", { name, reason }),
      onAuthenticated: ({ scope }) => emit("authenticated", { name, scope }),
      onStateless: ({ payload }) => emit("stateless", { name, payload }),
    });
    provider.on("close", ({ event }) => emit("closed", { name, reason: String(event.reason) }));
    for (const event of ["synced", "unsyncedChanges", "awarenessChange"]) provider.on(event, changed);
    provider.document.on("update", changed);
    provider.attach();
    providers[name] = provider;
  },
  token: ({ name, token }) => void (tokens[name] = token),
  insert: ({ name, text }) => providers[name].document.getText("body").insert(0, text),
  present: ({ name, as }) => providers[name].setAwarenessField("user", { name: as }),
  say: ({ name, payload }) => providers[name].sendStateless(payload),
  forceSync: ({ name }) => providers[name].forceSync(),
  leave({ name }) {
    providers[name].destroy();
    delete providers[name];
  },
  snapshot: () => ({
    connected: socket.status === "connected",
    disconnects,
    documents: Object.fromEntries(
      Object.entries(providers).map(([name, provider]) => [
        name,
        {
          synced: provider.synced,
          unsynced: provider.unsyncedChanges,
          scope: provider.authorizedScope ?? null,
          text: provider.document.getText("body").toString(),
          here: [...provider.awareness.getStates().values()].map((state) => state.user?.name).filter(Boolean).sort(),
        },
      ]),
    ),
  }),
});
