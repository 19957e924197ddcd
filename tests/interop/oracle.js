// Yjs as the oracle of relative positions and of values.
//
// `open` makes a document from a seed, edited by several clients, and positions in it; `merge` edits it, takes in what
// the test did at the same time, and says where positions are then. Indices are Yjs' own, in UTF-16 units. `read` says
// what an update holds, and `touch` edits that.

import * as Y from "yjs";
import { drive } from "./driver.js";

const CORPORA = {
  prose: [
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ",
    "Voix ambiguë d’un cœur qui, au zéphyr, préfère les jattes de kiwis. ",
    "Příliš žluťoučký kůň úpěl ďábelské ódy. ",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ",
    "Съешь ещё этих мягких французских булок. ",
  ],
  cjk: ["色は匂へど散りぬるを", "我が世誰ぞ常ならむ", "天地玄黄,宇宙洪荒。", "다람쥐 헌 쳇바퀴에 타고파", "𠮷野家で𩸽を𠀋"],
  emoji: ["😀😃😄", "👩‍👩‍👧‍👦", "🇫🇷🇩🇪🇯🇵", "👍🏽👍🏿", "🏳️‍🌈", "ok 🎉 ok", "1️⃣2️⃣"],
  odd: ["e\u0301\u0301\u0323", "\u0301", "\u200d", "a\r\nb\r\n", "\r", "\n", "\u202eabc\u202c", "\ufeff", "\u{1F1EB}", "\u{10ffff}", "\0"],
};

const documents = new Map();
let formats = 0;

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

const textOf = (doc, nested) => (nested ? doc.getMap("map").get("text") : doc.getText("text"));

function edit(text, dice, strings) {
  const length = text.length;
  const at = dice.below(length + 1);
  const what = dice.below(100);
  if (what < 50 || length === 0) {
    const string = dice.pick(strings);
    const from = dice.below(string.length);
    text.insert(at, string.slice(0, from).isWellFormed() ? string.slice(0, from) || string : string);
  } else if (what < 80) {
    const start = dice.below(length);
    text.delete(start, Math.min(length - start, 1 + dice.below(6))); // cuts emoji in half now and then
  } else if (what < 88) {
    const start = dice.below(length);
    // A format that changes nothing would cut an emoji in this client alone, of which the others never hear.
    text.format(start, Math.min(length - start, 1 + dice.below(8)), { weight: formats++ });
  } else if (what < 92) {
    text.insertEmbed(at, { image: "😀" });
  } else {
    const start = dice.below(length); // as naive bindings do it: the second half of an emoji is exchanged
    text.delete(start, 1);
    text.insert(start, "\ude0a");
  }
}

const exchange = (docs) => {
  for (const from of docs) for (const to of docs) Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)));
};
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const shown = (text) => text.toDelta().map((part) => (typeof part.insert === "string" ? part.insert : "\ufffc")).join("").toWellFormed();

const plain = (value) => {
  if (value instanceof Uint8Array) return { bytes: base64(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value;
};
const read = (doc) => ({
  map: plain(doc.getMap("map").toJSON()),
  array: plain(doc.getArray("array").toJSON()),
  text: doc.getText("text").toString(),
});

drive({
  read({ update }) {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, bytes(update));
    return read(doc);
  },

  touch({ update }) {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, bytes(update));
    doc.transact(() => {
      doc.getMap("map").set("yjs", [1, 2 ** 40, 0.5, "ä😀", null, true, { deep: new Uint8Array([1, 2]) }]);
      doc.getMap("map").set("undefined", undefined);
      doc.getArray("array").insert(0, [{ from: "yjs" }, new Uint8Array([3])]);
      doc.getArray("array").push([new Y.Map([["inner", new Y.Array()]]), new Y.Text("typed")]);
      doc.getText("text").insert(0, "😀yjs ");
    });
    return { update: base64(Y.encodeStateAsUpdate(doc)), ...read(doc) };
  },

  open({ seed, corpus }) {
    const dice = random(seed);
    const strings = corpus === "all" ? Object.values(CORPORA).flat() : CORPORA[corpus];
    const nested = dice.chance(0.3);
    const docs = [1, 2, 3].map((number) => Object.assign(new Y.Doc(), { clientID: 1 + dice.below(2 ** 31) * 4 + number }));
    if (nested) docs[0].getMap("map").set("text", new Y.Text());
    exchange(docs);
    for (let round = 0; round < 3; round++) {
      for (const doc of docs) for (let n = dice.below(8); n > 0; n--) edit(textOf(doc, nested), dice, strings);
      exchange(docs);
    }
    // All of these clients cut what any of them cut; a newcomer has what will go over the wire.
    const doc = Object.assign(new Y.Doc(), { clientID: 1 + dice.below(2 ** 31) * 4 });
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(docs[0]));
    documents.set(seed, { doc, dice, strings, nested });
    const text = textOf(doc, nested);
    const positions = [];
    for (let index = 0; index <= text.length; index++) {
      for (const assoc of [0, -1]) {
        const position = Y.createRelativePositionFromTypeIndex(text, index, assoc);
        positions.push({ index, assoc, bytes: base64(Y.encodeRelativePosition(position)), json: Y.relativePositionToJSON(position) });
      }
    }
    return { update: base64(Y.encodeStateAsUpdate(doc)), text: shown(text), nested, positions };
  },

  merge({ seed, update, positions }) {
    const { doc, dice, strings, nested } = documents.get(seed);
    documents.delete(seed);
    for (let n = dice.below(12); n > 0; n--) edit(textOf(doc, nested), dice, strings);
    if (nested && dice.chance(0.1)) doc.getMap("map").delete("text");
    Y.applyUpdate(doc, bytes(update));
    const copy = new Y.Doc(); // what is sent is what counts: a half of an emoji becomes U+FFFD only on its way
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
    const text = textOf(copy, nested);
    const indices = positions.map((position) => {
      const found = Y.createAbsolutePositionFromRelativePosition(Y.decodeRelativePosition(bytes(position)), copy, false);
      return found === null ? null : found.type === text ? found.index : -1;
    });
    return { update: base64(Y.encodeStateAsUpdate(doc)), text: text === undefined ? null : shown(text), indices };
  },
});
