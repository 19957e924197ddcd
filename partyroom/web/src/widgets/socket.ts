// A WebSocket to the kernel's room, for y-websocket: straight to the server where this page can reach it, else in
// messages of the widget, which the kernel passes on over a WebSocket of its own.
//
// A page may be somewhere else than its kernel, where `localhost` is another machine. So what answers counts as the
// room only once it has shown that the kernel is in it: its id is among those present.

/** Messages with the kernel. */
export interface Relay {
  send(message: Record<string, unknown>, buffers?: ArrayBuffer[]): void;
  /** Calls `callback` with what the kernel sends; the answer stops that. */
  on(callback: (message: Record<string, unknown>, buffers: DataView[]) => void): () => void;
}

/** Where the room is, as the kernel has it; it may hold a token. */
interface Where {
  /** Who the kernel is in the room. */
  id: string;
  /** The path below the server that this page came from, where the kernel's rooms are that server's own; or empty. */
  path: string;
  /** The room's address, or empty where this page should not try it. */
  url: string;
  token: string;
}

export type Transport = "direct" | "relay";

const PATIENCE = 3000; // ms, for a server to answer and to show that it is the right one

/** What y-websocket takes for a WebSocket; `tell` hears over which way it goes. */
export function roomSocket(relay: Relay, tell: (transport: Transport) => void): typeof WebSocket {
  let asked: Promise<Where> | undefined;
  const where = (): Promise<Where> => (asked ??= ask(relay));

  class RoomSocket {
    readonly OPEN = 1;
    binaryType = "arraybuffer";
    readyState = 0;
    onopen: (() => void) | null = null;
    onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;
    onclose: ((event: unknown) => void) | null = null;
    onerror: ((event: unknown) => void) | null = null;
    #send: (data: Uint8Array) => void = () => {};
    #close: () => void = () => {};

    constructor() {
      void this.#begin();
    }

    send(data: Uint8Array): void {
      if (this.readyState === 1) this.#send(data);
    }

    close(): void {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.#close();
      this.onclose?.({ code: 1000 });
    }

    async #begin(): Promise<void> {
      const found = await where();
      for (const url of addresses(found)) {
        if (this.readyState === 3) return;
        if (await this.#direct(url, found.id)) return;
      }
      if (this.readyState !== 3) this.#relay();
    }

    #opened(transport: Transport): void {
      this.readyState = 1;
      tell(transport);
      this.onopen?.();
    }

    #direct(url: string, id: string): Promise<boolean> {
      return new Promise((done) => {
        const held: ArrayBuffer[] = [];
        let socket: WebSocket;
        try {
          socket = new WebSocket(url);
        } catch {
          return done(false); // a page over https may not reach a server without
        }
        socket.binaryType = "arraybuffer";
        const late = setTimeout(() => socket.close(), PATIENCE);
        socket.onmessage = ({ data }: MessageEvent) => {
          if (!(data instanceof ArrayBuffer)) return;
          if (this.readyState === 1) return this.onmessage?.({ data });
          held.push(data);
          if (this.readyState === 3 || !holds(data, id)) return;
          clearTimeout(late);
          this.#send = (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>);
          this.#opened("direct");
          for (const one of held.splice(0)) this.onmessage?.({ data: one });
          done(true);
        };
        this.#close = () => socket.close();
        socket.onclose = () => {
          clearTimeout(late);
          if (this.readyState === 1) this.close();
          else done(false);
        };
      });
    }

    #relay(): void {
      const socket = crypto.getRandomValues(new Uint32Array(4)).join("-");
      const stop = relay.on((message, [data]) => {
        if (message.socket !== socket) return;
        if (message.type === "opened") this.#opened("relay");
        else if (message.type === "closed") this.close();
        else if (message.type === "frame" && data) this.onmessage?.({ data: copied(data) });
      });
      this.#send = (data) => relay.send({ type: "frame", socket }, [data.slice().buffer as ArrayBuffer]);
      this.#close = () => {
        stop();
        relay.send({ type: "close", socket });
      };
      relay.send({ type: "open", socket });
    }
  }
  return RoomSocket as unknown as typeof WebSocket;
}

function ask(relay: Relay): Promise<Where> {
  return new Promise((done) => {
    const stop = relay.on((message) => {
      if (message.type !== "where") return;
      stop();
      done(message as unknown as Where);
    });
    relay.send({ type: "where" });
  });
}

function* addresses({ path, url, token }: Where): Generator<string> {
  const base = path && jupyterBase();
  if (base) yield new URL(path, base).href.replace(/^http/, "ws");
  if (!url) return;
  const address = new URL(url.replace(/^http/, "ws"));
  if (isLoopback(address.hostname) && !isLoopback(location.hostname)) return;
  if (token) address.searchParams.set("token", token);
  yield address.href;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}

/** Where the Jupyter server of this page is, as its pages say: Lab, Notebook and Voila. */
function jupyterBase(): string {
  try {
    const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
    return typeof config.baseUrl === "string" ? new URL(config.baseUrl, location.origin).href : "";
  } catch {
    return "";
  }
}

/** Whether a frame has an id in it, which is made of ASCII letters. */
function holds(data: ArrayBuffer, id: string): boolean {
  return new TextDecoder("latin1").decode(data).includes(id);
}

function copied({ buffer, byteOffset, byteLength }: DataView): ArrayBuffer {
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
