// One `partysocket`, driven by the tests.

import PartySocket from "partysocket";
import ReconnectingWebSocket from "partysocket/ws";
import { WebSocket } from "ws";
import { drive, emit } from "./driver.js";

let socket;

const payload = (data) => (typeof data === "string" ? { text: data } : { base64: Buffer.from(data).toString("base64") });

function listen(queue) {
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => emit("open", { protocol: socket.protocol }));
  socket.addEventListener("message", ({ data }) => emit("message", payload(data)));
  socket.addEventListener("close", ({ code, reason }) => emit("close", { code, reason }));
  socket.addEventListener("error", () => emit("error"));
  for (const text of queue) socket.send(text);
  return { id: socket.id, roomUrl: socket.roomUrl };
}

drive({
  /** `tokens` make the query a function, as for short-lived ones: each attempt takes the next. */
  open({ queue = [], tokens, ...options }) {
    if (tokens) options.query = async () => ({ token: tokens.length > 1 ? tokens.shift() : tokens[0] });
    socket = new PartySocket({ WebSocket, ...options });
    return listen(queue);
  },
  openUrl({ url, queue = [], ...options }) {
    socket = new ReconnectingWebSocket(url, [], { WebSocket, ...options });
    return listen(queue);
  },
  send: ({ text, base64 }) => void socket.send(text ?? Buffer.from(base64, "base64")),
  count({ upTo }) {
    for (let n = 0; n < upTo; n++) socket.send(`${n}`);
  },
  close: ({ code, reason }) => void socket.close(code, reason),
  reconnect: () => void socket.reconnect(),
  async fetch({ options, init }) {
    const response = await PartySocket.fetch(options, init);
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  },
});
