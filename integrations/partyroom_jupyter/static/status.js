// Asks the server who is where, and shows it. Whatever others have chosen (names, rooms) is text here, never markup.

const SECONDS = 2;
const STORED_EVERY = 15; // of those: the list of what is kept costs the server more

const base = document.documentElement.dataset.base;
const byId = (id) => document.getElementById(id);

const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
};

const pathOf = ({ party, room }) => `${base}parties/${encodeURIComponent(party)}/${encodeURIComponent(room)}`;

const link = (href, label) => {
  const anchor = make("a", "link", label);
  anchor.href = href;
  anchor.target = "_blank";
  anchor.rel = "noopener";
  return anchor;
};

function links(room) {
  const path = pathOf(room);
  const all = room.document ? [link(`${path}/doc.json`, "JSON"), link(`${path}/doc`, "Yjs update")] : [link(path, "HTTP")];
  return make("span", "links", ...all);
}

function person({ name, color, kernel, connections }) {
  const dot = make("span", kernel ? "mark kernel" : "mark");
  if (color && CSS.supports("color", color)) dot.style.background = color;
  const line = make("li", "person", dot, make("span", "name", name));
  if (connections > 1) line.append(make("span", "count", `×${connections}`));
  return line;
}

function line(room) {
  const where = make("span", "where", make("span", "party", `${room.party}/`), make("span", "room-name", room.room));
  const item = make("li", "room", make("div", "head", where, links(room)));
  if (room.people) {
    const nobody = make("li", "nobody", "nobody just now");
    item.append(make("ul", "people", ...(room.people.length ? room.people.map(person) : [nobody])));
  }
  return item;
}

/** Replaces a list only where something has changed, so that a selection in it survives. */
function fill(list, items) {
  const fresh = make("ul", "", ...items);
  if (fresh.innerHTML !== list.innerHTML) list.replaceChildren(...items);
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function standing(state, label) {
  byId("status").dataset.state = state;
  byId("status-label").textContent = label;
}

function show(told) {
  if (told.remote) notice(`This server has no rooms of its own: its kernels meet at ${told.remote}`);
  else notice(told.problem && `There are no rooms: ${told.problem}`);
  const rooms = told.rooms.sort((a, b) => b.people.length - a.people.length || a.room.localeCompare(b.room));
  fill(byId("live"), rooms.length ? rooms.map(line) : [make("li", "nobody", "No room is live right now.")]);
  if (told.stored) {
    fill(byId("stored"), told.stored.map(line));
    byId("stored-part").hidden = told.stored.length === 0;
  }
  byId("version").textContent = `partyroom ${told.version}`;
  byId("connections").textContent = `${told.connections} ${told.connections === 1 ? "connection" : "connections"} open`;
  byId("parties").textContent = told.parties.join(", ");
}

let asked = 0;

async function look() {
  if (document.hidden) return;
  const query = asked++ % STORED_EVERY === 0 ? "?stored=1" : "";
  try {
    const headers = { "X-XSRFToken": document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1] ?? "" };
    const response = await fetch(`${base}partyroom/status${query}`, { cache: "no-store", redirect: "error", headers });
    if (!response.ok) throw new Error(response.statusText);
    show(await response.json());
    standing("live", "Live");
  } catch {
    asked = 0;
    standing("offline", "Out of reach");
  }
}

document.addEventListener("visibilitychange", look);
setInterval(look, SECONDS * 1000);
look();
