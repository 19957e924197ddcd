// An echo server of the `ws` package, driven by the tests.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { drive, emit } from "./driver.js";

const refusals = [];
const http = createServer();
const server = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 });

http.on("upgrade", (request, socket, head) => {
  emit("handshake", { url: request.url, key: request.headers["x-key"] ?? null });
  const status = refusals.shift();
  if (status) return socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  server.handleUpgrade(request, socket, head, (client) => {
    client.on("message", (data, isBinary) => client.send(data, { binary: isBinary }));
    client.on("close", (code, reason) => emit("close", { code, reason: String(reason) }));
    client.on("pong", () => emit("pong"));
  });
});

drive({
  listen: () => new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(http.address().port))),
  refuse: ({ statuses }) => void refusals.push(...statuses),
  close: ({ code, reason }) => server.clients.forEach((client) => client.close(code, reason)),
  cut: () => server.clients.forEach((client) => client.terminate()),
  ping: () => server.clients.forEach((client) => client.ping("are you there?")),
  send: ({ text, fragments }) =>
    server.clients.forEach((client) => {
      const size = Math.ceil(text.length / fragments);
      for (let n = 0; n < fragments; n++)
        client.send(text.slice(n * size, (n + 1) * size), { fin: n === fragments - 1, binary: false });
    }),
});
