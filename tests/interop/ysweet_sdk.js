// @y-sweet/sdk as an application's server uses it, driven by the tests.

import { DocumentManager } from "@y-sweet/sdk";
import * as Y from "yjs";
import { drive } from "./driver.js";

let manager;

const typed = (text) => {
  const doc = new Y.Doc();
  doc.getText("body").insert(0, text);
  return Y.encodeStateAsUpdate(doc);
};

const read = (update) => {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc.getText("body").toString();
};

drive({
  open: ({ connectionString }) => void (manager = new DocumentManager(connectionString)),
  create: ({ docId }) => manager.createDoc(docId),
  createWith: ({ text }) => manager.createDocWithContent(typed(text)),
  token: ({ docId, ...wanted }) => manager.getOrCreateDocAndToken(docId, wanted),
  read: async ({ docId }) => read(await manager.getDocAsUpdate(docId)),
  write: ({ docId, text }) => manager.updateDoc(docId, typed(text)),
  async writeAsReader({ docId, text }) {
    const connection = await manager.getDocConnection(docId, { authorization: "read-only" });
    await connection.updateDoc(typed(text));
  },
});
