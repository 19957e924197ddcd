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

const STANDINGS = { connecting: "Connecting", live: "", offline: "Offline: what you write is kept and will be merged" };

function render(context) {
  const { model, el } = context;
  const { state, body, end } = frame(context, "text");
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
  let over = false;

  editor(model).then(({ open }) => {
    if (over) return;
    body.replaceChildren();
    const opened = open({
      parent: body,
      name: model.get("name"),
      language: model.get("language"),
      label: model.get("label"),
      relay,
      onStanding(standing, transport) {
        el.dataset.standing = standing;
        el.dataset.transport = transport;
        state.textContent = standing === "live" && model.get("read_only") ? model.get("notice") : STANDINGS[standing];
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
      follow(model, ["read_only"], () => opened.setReadOnly(model.get("read_only"))),
    );
  });
  return () => {
    over = true;
    for (const stop of stops.splice(0)) stop();
  };
}

export default { render };
