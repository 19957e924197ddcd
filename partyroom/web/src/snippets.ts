// How to be in this room without this page: programs to copy, for this very server and room.

import { host, http, secure, ws } from "./address";
import { copyButton } from "./copy";
import { byId, make } from "./page";
import type { Doors } from "./rooms";

type Tongue = "javascript" | "python" | "terminal";

/** Ties the tabs (one at a time, arrow keys move between them) and the copy button. */
export function tabs(): void {
  const all = [...document.querySelectorAll<HTMLButtonElement>("[role=tab]")];
  const select = (tab: HTMLButtonElement) => {
    for (const one of all) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
      byId(one.getAttribute("aria-controls") ?? "").hidden = one !== tab;
    }
  };
  for (const [place, tab] of all.entries()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      const next = step && all[(place + step + all.length) % all.length];
      if (!next) return;
      select(next);
      next.focus();
    });
  }
  copyButton(byId<HTMLButtonElement>("copy-snippet"), () => {
    return document.querySelector("[role=tabpanel]:not([hidden]) code")?.textContent ?? "";
  });
}

/** Writes the programs for this room into the tabs. */
export function showSnippets(doors: Doors, room: string): void {
  const id = encodeURIComponent(room);
  const programs: Record<Tongue, string> = {
    javascript: [doors.document && yjs(doors.document, id), doors.chat && partysocket(doors.chat, id)]
      .filter(Boolean)
      .join("\n\n"),
    python: python(doors.chat, id),
    terminal: terminal(doors.chat, id),
  };
  for (const [tongue, program] of Object.entries(programs)) {
    byId(`code-${tongue}`).replaceChildren(...coloured(program));
  }
}

const yjs = (party: string, room: string) => `// npm install yjs y-websocket (in Node: 22 or newer)
import * as Y from "yjs";
import { WebsocketProvider } from "y-websocket";

const doc = new Y.Doc();
const body = doc.getText("body");
new WebsocketProvider("${ws}/parties/${party}", "${room}", doc);
body.observe(() => console.log(body.toString()));`;

const partysocket = (party: string, room: string) => `// npm install partysocket
import { PartySocket } from "partysocket";

const chat = new PartySocket({
  host: "${host}", party: "${party}", room: "${room}",${secure ? "" : ' protocol: "ws",'}
});
chat.addEventListener("message", (event) => console.log(event.data));
chat.send(JSON.stringify({ type: "say", name: "Node", text: "Hello from JavaScript" }));`;

const python = (chat: string | null, room: string) =>
  chat === null
    ? `import json\nimport urllib.request\n\nwith urllib.request.urlopen("${http}/.partyroom/rooms") as answer:
    print(json.load(answer))`
    : `# pip install websockets
import json
from websockets.sync.client import connect

with connect("${ws}/parties/${chat}/${room}") as chat:
    chat.send(json.dumps({"type": "say", "name": "Python", "text": "Hello from Python"}))
    for message in chat:
        print(json.loads(message))`;

const terminal = (chat: string | null, room: string) =>
  [
    `# the rooms of this server\ncurl ${quoted(`${http}/.partyroom/rooms`)}`,
    chat && `# what was said in this one\ncurl ${quoted(`${http}/parties/${chat}/${room}`)}`,
    chat &&
      `# be in it: each line that you type is sent, e.g. {"type": "say", "name": "Shell", "text": "Hello"}
pip install websockets
websockets ${quoted(`${ws}/parties/${chat}/${room}`)}`,
  ]
    .filter(Boolean)
    .join("\n\n");

/** An address as a shell takes it literally. */
function quoted(url: string): string {
  return /^[\w:/.%~-]+$/.test(url) ? url : `'${url.replaceAll("'", "'\\''")}'`;
}

const TOKEN = /(^(?:#|\/\/).*$)|("[^"\n]*")|\b(import|from|const|new|with|as|for|in|print)\b/gm;

/** A program as nodes, with comments, strings and some words set apart. */
function* coloured(program: string): Iterable<Node | string> {
  let end = 0;
  for (const found of program.matchAll(TOKEN)) {
    const [token, comment, string] = found;
    yield program.slice(end, found.index);
    yield make("span", comment ? "comment" : string ? "string" : "word", token);
    end = found.index + token.length;
  }
  yield program.slice(end);
}
