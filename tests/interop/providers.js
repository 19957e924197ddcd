// The published Yjs providers by family: `(await connector("y-websocket"))(host, party, room, doc, params, token)`.

import { WebSocket } from "ws";

const polyfill = { WebSocketPolyfill: WebSocket };

const yWebsocket = (Provider) => (host, party, room, doc, params) =>
  new Provider(`ws://${host}/parties/${party}`, room, doc, { ...polyfill, params, disableBc: true });

const partyKit = (Provider) => (host, party, room, doc, params) =>
  new Provider(host, room, doc, { ...polyfill, party, params });

const connectors = {
  "y-websocket": async () => yWebsocket((await import("y-websocket")).WebsocketProvider),
  "@y/websocket": async () => yWebsocket((await import("@y/websocket")).WebsocketProvider),
  "y-partykit": async () => partyKit((await import("y-partykit/provider")).default),
  "y-partyserver": async () => partyKit((await import("y-partyserver/provider")).default),
  "y-sweet": async () => {
    const { createYjsProvider } = await import("@y-sweet/client");
    return (host, party, room, doc, params, token) => {
      const url = `ws://${host}/parties/${party}?${new URLSearchParams(params)}`; // the client adds the docId to the path
      const options = { ...polyfill, showDebuggerLink: false };
      return createYjsProvider(doc, room, async () => token ?? { url, docId: room }, options);
    };
  },
  hocuspocus: async () => {
    const { HocuspocusProvider } = await import("@hocuspocus/provider");
    return (host, party, room, doc, params) => {
      const url = `ws://${host}/parties/hocuspocus/of-${party}?${new URLSearchParams(params)}`;
      return new HocuspocusProvider({ ...polyfill, url, name: room, document: doc });
    };
  },
};

/** What makes a provider of a family. */
export const connector = (family) => connectors[family]();
