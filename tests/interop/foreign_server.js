// Somebody else's document server, for our clients: `node foreign_server.js y-websocket 0` (or hocuspocus), and a port.
// Prints its address once it listens. Documents live in its memory: as long as it does.

import { createServer } from "node:http";

const [, , family, port] = process.argv;
console.log = console.error; // stdout is ours
const listening = (number) => process.stdout.write(`http://127.0.0.1:${number}\n`);

const start = {
  async "y-websocket"() {
    const { WebSocketServer } = await import("ws");
    const { setupWSConnection } = await import("@y/websocket-server/utils");
    const server = createServer();
    new WebSocketServer({ server }).on("connection", setupWSConnection);
    server.listen(+port, "127.0.0.1", () => listening(server.address().port));
  },
  async hocuspocus() {
    const { Server } = await import("@hocuspocus/server");
    const { applyUpdate, encodeStateAsUpdate } = await import("yjs");
    const stored = new Map(); // or a document would be gone with its last client
    const server = new Server({
      port: +port,
      address: "127.0.0.1",
      quiet: true,
      async onAuthenticate({ token, connectionConfig }) {
        if (token === "stranger") throw { reason: "who are you?" };
        connectionConfig.readOnly = token === "read";
      },
      async onLoadDocument({ documentName, document }) {
        if (stored.has(documentName)) applyUpdate(document, stored.get(documentName));
      },
      async onStoreDocument({ documentName, document }) {
        stored.set(documentName, encodeStateAsUpdate(document));
      },
    });
    await server.listen();
    listening(server.address.port);
  },
};

await start[family]();
