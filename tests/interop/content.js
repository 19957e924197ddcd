// Random documents by real Yjs, and what Yjs reads in them: node content.js SEED COUNT
//
// One JSON line for each: {update, then, state, roots: {name: {type, json, delta?}}}. "then" is the same document half
// way, "state" what Yjs has of it after it has read it, formats that are of no use taken out. Values that JSON has not
// are said as partyroom/protocols/plain.py says them; a BigInt is {"$bigint": digits}. With "-" for COUNT, documents are
// read from standard input, one a line: updates in hexadecimal, with blanks in between.

import { createInterface } from "node:readline";
import * as Y from "yjs";

const [seed, count] = process.argv.slice(2);

function mulberry(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const random = mulberry(Number(seed));
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;

const TEXTS = ["a", "hello ", "x\ny", "漢字", "é", "👋🏽", "a😀b", "👨‍👩‍👧", "\u0000", "𝒳", "<b>&\"", "   "];
const KEYS = ["a", "b", "key", "😀", "__proto", ""];
const FORMATS = [
  { bold: true },
  { bold: null },
  { em: { class: "x", id: 1 } },
  { em: null },
  { link: { href: "https://example.com" } },
  { color: "red" },
  { a: {}, bold: {} },
];

function value() {
  return pick([
    () => below(10),
    () => -below(2 ** 31),
    () => 2 ** 40 + below(100),
    () => 0.1 + below(10),
    () => 1e300,
    () => NaN,
    () => -0,
    () => pick(TEXTS),
    () => null,
    () => undefined,
    () => chance(0.5),
    () => ({ [pick(KEYS)]: pick(TEXTS), n: [1, null, { x: undefined }] }),
    () => [1, [2, [pick(TEXTS)]], undefined],
    () => new Uint8Array([1, 2, below(256)]),
    () => BigInt(2 ** 60) + BigInt(below(1000)),
    () => new Y.Doc({ guid: `guid-${below(100)}` }),
  ])();
}

const nested = [
  () => new Y.Map([[pick(KEYS), value()]]),
  () => Y.Array.from([listed(), listed()]),
  () => new Y.Text(pick(TEXTS)),
];

// Y.Array takes neither undefined nor BigInts by themselves
function listed() {
  const one = value();
  return one === undefined || typeof one === "bigint" ? [one] : one;
}

function editText(text) {
  const length = text.length;
  const at = chance(0.3) ? length : chance(0.3) ? 0 : below(length + 1);
  switch (below(7)) {
    case 0:
    case 1:
    case 2:
      return text.insert(at, pick(TEXTS), chance(0.2) ? pick(FORMATS) : undefined);
    case 3:
      return text.delete(at, Math.min(length - at, below(6)));
    case 4:
    case 5:
      return text.format(at, Math.min(length - at, below(8)), pick(FORMATS));
    default:
      return text.insertEmbed(at, chance(0.3) ? new Y.Map([["in", "text"]]) : { image: pick(TEXTS) }, pick(FORMATS));
  }
}

function editArray(array) {
  const at = chance(0.4) ? 0 : below(array.length + 1);
  if (chance(0.3)) return array.delete(at, Math.min(array.length - at, below(4)));
  array.insert(at, Array.from({ length: 1 + below(3) }, () => (chance(0.3) ? pick(nested)() : listed())));
}

function editMap(map) {
  if (chance(0.25)) return map.delete(pick(KEYS));
  map.set(pick(KEYS), chance(0.3) ? pick(nested)() : value());
}

function editXml(xml) {
  const at = below(xml.length + 1);
  if (chance(0.25)) return xml.delete(at, Math.min(xml.length - at, below(3)));
  const element = new Y.XmlElement(pick(["p", "Heading", "LI", "图"]));
  if (chance(0.5)) element.setAttribute(pick(["class", "data-x", "é"]), pick(["1", "x y", 3, true, { a: 1 }]));
  const text = new Y.XmlText(pick(TEXTS));
  xml.insert(at, [pick([element, text])]);
}

function everything(type, found = []) {
  found.push(type);
  const inner = [];
  if (type instanceof Y.Map) inner.push(...type.values());
  else if (type instanceof Y.Array || type instanceof Y.XmlFragment) inner.push(...type.toArray());
  else if (type instanceof Y.Text) inner.push(...type.toDelta().map((op) => op.insert));
  for (const one of inner) if (one instanceof Y.AbstractType) everything(one, found);
  return found;
}

const ROOTS = { text: Y.Text, array: Y.Array, map: Y.Map, xml: Y.XmlFragment, xmltext: Y.XmlText };

function edit(doc) {
  const types = Object.entries(ROOTS).flatMap(([name, type]) => everything(doc.get(name, type)));
  const type = pick(types);
  if (type instanceof Y.Text) editText(type);
  else if (type instanceof Y.Array) editArray(type);
  else if (type instanceof Y.Map) editMap(type);
  else {
    editXml(type);
    if (type instanceof Y.XmlElement && chance(0.3)) type.setAttribute(pick(["class", "id"]), pick(TEXTS));
  }
}

function made() {
  const gc = chance(0.7);
  const docs = Array.from({ length: 1 + below(4) }, (_, at) => {
    const doc = new Y.Doc({ gc });
    doc.clientID = chance(0.3) ? 4 * below(200) + at : 4 * below(2 ** 30) + at;
    return doc;
  });
  const undo = docs.map((doc) => new Y.UndoManager([doc.getText("text"), doc.getArray("array"), doc.getMap("map")]));
  const steps = 5 + below(80);
  let then;
  for (let step = 0; step < steps; step++) {
    if (step === steps >> 1) then = Y.mergeUpdates(docs.map((doc) => Y.encodeStateAsUpdate(doc)));
    const at = below(docs.length);
    if (chance(0.05)) undo[at][pick(["undo", "redo"])]();
    else docs[at].transact(() => edit(docs[at]), chance(0.5) ? "a" : null);
    if (chance(0.1)) undo[at].stopCapturing();
    if (chance(0.15)) {
      const to = pick(docs);
      Y.applyUpdate(to, Y.encodeStateAsUpdate(docs[at], Y.encodeStateVector(to)));
    }
  }
  for (const doc of docs) Y.applyUpdate(docs[0], Y.encodeStateAsUpdate(doc));
  const all = chance(0.2) ? Y.mergeUpdates(docs.map((doc) => Y.encodeStateAsUpdate(doc))) : null;
  return { updates: [all ?? Y.encodeStateAsUpdate(docs[0])], then };
}

function said(value) {
  if (value instanceof Y.AbstractType) return said(value.toJSON());
  if (value instanceof Y.Doc) return { $document: value.guid };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (Array.isArray(value)) return value.map(said);
  if (value !== null && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, said(inner)]));
  return value;
}

function read(updates) {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  const names = [...doc.share.keys()];
  const roots = {};
  for (const name of names) {
    const type = ROOTS[name] ?? Y.Text;
    const root = doc.get(name, type);
    const answer = (roots[name] = { type: type.name.replace("_", "").slice(1).toLowerCase(), json: said(root.toJSON()) });
    if (root instanceof Y.Text) answer.delta = said(root.toDelta());
  }
  return { roots, state: hex(Y.encodeStateAsUpdate(doc)) };
}

const hex = (update) => Buffer.from(update).toString("hex");

const write = ({ updates, then }) => {
  let seen = { roots: null };
  try {
    seen = read(updates);
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
  }
  console.log(JSON.stringify({ update: updates.map(hex).join(" "), then: then && hex(then), ...seen }));
};

if (count === "-") {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) write({ updates: line.split(" ").map((update) => Buffer.from(update, "hex")) });
} else {
  for (let document = 0; document < Number(count); document++) write(made());
}
