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
  const talk = doors.chat !== null ? new Chat(doors.chat, id) : doors.other !== null ? new Plain(doors.other, id) : null;
  const programs: Record<Tongue, string[]> = {
    javascript: [...(doors.document === null ? [] : [yjs(doors.document, id)]), ...(talk ? [partysocket(talk)] : [])],
    python: [talk ? websockets(talk) : urllib],
    terminal: [curl, ...(talk ? [shell(talk)] : [])],
  };
  for (const [tongue, program] of Object.entries(programs)) {
    byId(`code-${tongue}`).replaceChildren(...coloured(program.join("\n\n")));
  }
}

const yjs = (party: string, room: string) => `// npm install yjs y-websocket (in Node: 22 or newer)
import * as Y from "yjs";
import { WebsocketProvider } from "y-websocket";

const doc = new Y.Doc();
const body = doc.getText("body");
new WebsocketProvider("${ws}/parties/${party}", "${room}", doc);
body.observe(() => console.log(body.toString()));`;

/** A room to talk with: how it is called, where it is, and what to say in each language. */
class Plain {
  readonly name: string = "room";

  constructor(
    readonly party: string,
    readonly room: string,
  ) {}

  get path(): string {
    return `/parties/${encodeURIComponent(this.party)}/${this.room}`;
  }

  javascript(): string {
    return '"Hello from JavaScript"';
  }

  python(): { imports: string; says: string; hears: string } {
    return { imports: "", says: '"Hello from Python"', hears: "message" };
  }

  terminal(): string {
    return `# be in it: each line that you type is sent`;
  }
}

class Chat extends Plain {
  override readonly name = "chat";

  override javascript(): string {
    return 'JSON.stringify({ type: "say", name: "Node", text: "Hello from JavaScript" })';
  }

  override python(): { imports: string; says: string; hears: string } {
    const says = 'json.dumps({"type": "say", "name": "Python", "text": "Hello from Python"})';
    return { imports: "import json\n", says, hears: "json.loads(message)" };
  }

  override terminal(): string {
    return `# what was said in this one
curl ${quoted(http + this.path)}

# be in it: each line that you type is sent, e.g. {"type": "say", "name": "Shell", "text": "Hello"}`;
  }
}

const partysocket = (talk: Plain) => `// npm install partysocket
import { PartySocket } from "partysocket";

const ${talk.name} = new PartySocket({
  host: "${host}", party: "${talk.party}", room: "${talk.room}",${secure ? "" : ' protocol: "ws",'}
});
${talk.name}.addEventListener("message", (event) => console.log(event.data));
${talk.name}.send(${talk.javascript()});`;

const websockets = (talk: Plain) => {
  const { imports, says, hears } = talk.python();
  return `# pip install websockets
${imports}from websockets.sync.client import connect

with connect("${ws}${talk.path}") as ${talk.name}:
    ${talk.name}.send(${says})
    for message in ${talk.name}:
        print(${hears})`;
};

const urllib = `import json
from urllib.request import urlopen

with urlopen("${http}/.partyroom/rooms") as answer:
    print(json.load(answer))`;

const curl = `# the parties and rooms of this server
curl ${quoted(`${http}/.partyroom/rooms`)}`;

const shell = (talk: Plain) => `${talk.terminal()}
pip install websockets
websockets ${quoted(ws + talk.path)}`;

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
