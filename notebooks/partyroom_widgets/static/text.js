// A shared text. The editor itself is large: the kernel sends it once to a page, however many texts are in it.

const EDITOR = Symbol.for("partyroom.editor");
const YJS = "__ $YJS$ __"; // how Yjs finds out that it is on a page twice: Lab has one of its own, and neither minds

function editor(model) {
  globalThis[EDITOR] ??= new Promise((done, failed) => {
    const heard = (message, [bytes] = []) => {
      if (message.type !== "bundle" || !bytes) return;
      model.off("msg:custom", heard);
      const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
      const theirs = globalThis[YJS];
      delete globalThis[YJS];
      import(url).then(done, failed).finally(() => {
        URL.revokeObjectURL(url);
        if (theirs) globalThis[YJS] = theirs;
      });
    };
    model.on("msg:custom", heard);
    model.send({ type: "bundle" });
  });
  return globalThis[EDITOR];
}

const STANDINGS = { connecting: "Connecting", offline: "Offline: what you write is kept and will be merged" };
const ALONE = "Its kernel is gone. What you write still reaches everybody; run this cell to see where they are.";

function render(context) {
  const { model, el } = context;
  let over = false;
  let opened;
  let standing = "connecting";
  const direct = () => standing === "live" && el.dataset.transport === "direct";
  const says = () => {
    if (model.get("status") !== "synced" && !direct()) return model.get("notice"); // the way through the kernel is not open
    return STANDINGS[standing] ?? (model.get("read_only") ? model.get("notice") : "");
  };
  // Without its kernel it goes on where the page talks to the server itself; elsewhere nobody would get what is written.
  const settle = () => {
    el.toggleAttribute("data-alone", direct() && !alive());
    dead.textContent = direct() ? ALONE : lost;
    opened?.setReadOnly(model.get("read_only") || !(alive() || direct()));
    stand();
  };
  const { body, dead, stand, end, alive } = frame(context, "text", { says, told: () => settle() });
  const lost = dead.textContent;
  body.append(make("p", "partyroom-empty", "Waiting for the kernel to send the editor."));
  const relay = {
    send: (message, buffers) => model.send(message, undefined, buffers),
    on(callback) {
      const heard = (message, buffers = []) => callback(message, buffers);
      model.on("msg:custom", heard);
      return () => model.off("msg:custom", heard);
    },
  };
  const stops = [end];

  editor(model).then(({ open }) => {
    if (over) return;
    body.replaceChildren();
    opened = open({
      parent: body,
      name: model.get("name"),
      language: model.get("language"),
      label: model.get("label"),
      relay,
      onStanding(now, transport) {
        standing = now;
        el.dataset.standing = now;
        el.dataset.transport = transport;
        settle();
      },
    });
    stops.push(
      () => opened.close(),
      follow(model, ["carets"], () => opened.show(model.get("carets"))),
      follow(model, ["language"], () => {
        const prose = ["", "markdown"].includes(model.get("language"));
        el.toggleAttribute("data-code", !prose);
        opened.setLanguage(model.get("language"));
      }),
      follow(model, ["read_only"], settle),
    );
  });
  return () => {
    over = true;
    for (const stop of stops.splice(0)) stop();
  };
}

export default { render };
