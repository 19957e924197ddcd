// Several providers of several families in one process, each with a document of its own, edited at random.
//
// Indices are chosen so that no emoji is cut in half: of those who take part, pycrdt's own provider cannot follow that.

import * as Y from "yjs";
import { drive } from "./driver.js";
import { connector } from "./providers.js";

const WORDS = ["hello ", "zwölf ", "漢字", "色は匂へど", "😀", "👩‍👩‍👧‍👦", "e\u0301", "\n", "x", "🇫🇷🇩🇪 "];
const KEYS = ["title", "日本", "😀", "a", "b"];
const FORMATS = [{ bold: true }, { bold: null }, { link: "https://example.com/😀" }, { color: "red", italic: true }];

/** mulberry32: numbers from a seed. */
function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { below: (n) => Math.floor(next() * n), chance: (p) => next() < p, pick: (list) => list[Math.floor(next() * list.length)] };
}

/** Indices between characters; an embedded value counts as one. */
function places(text) {
  const at = [0];
  for (const { insert } of text.toDelta()) {
    for (const piece of typeof insert === "string" ? insert : ["\ufffc"]) at.push(at.at(-1) + piece.length);
  }
  return at;
}

function editText(text, { below, chance, pick }) {
  const at = places(text);
  const from = below(at.length);
  const to = Math.min(at.length - 1, from + 1 + below(8));
  if (chance(0.55) || at.length === 1) text.insert(at[from], pick(WORDS).repeat(1 + below(2)));
  else if (chance(0.6)) text.delete(at[from], at[to] - at[from]);
  else if (chance(0.7)) text.format(at[from], at[to] - at[from], pick(FORMATS));
  else text.insertEmbed(at[from], { image: pick(WORDS) });
}

function editMap(map, { below, chance, pick }) {
  const key = pick(KEYS);
  if (chance(0.2)) map.delete(key);
  else if (chance(0.7)) map.set(key, pick([below(1000), pick(WORDS), null, true, { in: [pick(WORDS)] }]));
  else map.set(key, pick([() => new Y.Text(pick(WORDS)), () => new Y.Map([[pick(KEYS), 1]]), () => Y.Array.from([1, 2])])());
}

function editArray(array, { below, chance, pick }) {
  const at = below(array.length + 1);
  if (chance(0.3) && at < array.length) array.delete(at, Math.min(array.length - at, 1 + below(3)));
  else if (chance(0.8)) array.insert(at, Array.from({ length: 1 + below(3) }, () => pick([below(100), pick(WORDS), [1, 2]])));
  else array.insert(at, [new Y.Map([[pick(KEYS), pick(WORDS)]])]);
}

function edit(doc, dice) {
  const kind = dice.below(10);
  if (kind < 5) return editText(doc.getText("body"), dice);
  const inside = [...doc.getMap("map").values(), ...doc.getArray("array").toArray()].filter((one) => one instanceof Y.AbstractType);
  const type = kind < 7 ? doc.getMap("map") : kind < 9 || !inside.length ? doc.getArray("array") : dice.pick(inside);
  (type instanceof Y.Text ? editText : type instanceof Y.Map ? editMap : editArray)(type, dice);
}

const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const clients = [];

drive({
  async open({ family, host, party, room }) {
    const doc = new Y.Doc();
    const client = { doc, updates: [], provider: (await connector(family))(host, party, room, doc, {}) };
    doc.on("update", (update, origin) => origin === "edited here" && client.updates.push(base64(update)));
    return clients.push(client) - 1;
  },
  edit({ edits }) {
    for (const { client, seed } of edits) {
      const { doc } = clients[client];
      doc.transact(() => edit(doc, random(seed)), "edited here");
    }
  },
  /** What a client has written since this was last asked, each edit by itself. */
  written: ({ client }) => clients[client].updates.splice(0),
  states: () =>
    clients.map(({ doc, provider }) => ({
      synced: provider.synced,
      vector: base64(Y.encodeStateVector(doc)),
      pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null,
    })),
  documents: () =>
    clients.map(({ doc }) => ({
      update: base64(Y.encodeStateAsUpdate(doc)),
      body: doc.getText("body").toDelta(),
      map: doc.getMap("map").toJSON(),
      array: doc.getArray("array").toJSON(),
    })),
});
