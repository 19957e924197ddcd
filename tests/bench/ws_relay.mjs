// A relay on Node's `ws`, written as its README writes a broadcast: rooms by path, everybody but the sender gets it.
// node ws_relay.mjs FOLDER, where FOLDER holds the node_modules with `ws` (an import would only look beside this file).
import { createRequire } from "node:module";
import { join } from "node:path";

const { WebSocket, WebSocketServer } = createRequire(join(process.argv[2], "any.js"))("ws");
const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });

server.on("connection", (socket, request) => {
  const name = request.url.split("?")[0];
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room.add(socket));

  socket.on("error", console.error);
  socket.on("message", (data, isBinary) => {
    for (const client of room) {
      if (client !== socket && client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
    }
  });
  socket.on("close", () => {
    room.delete(socket);
    if (room.size === 0) rooms.delete(name);
  });
});
