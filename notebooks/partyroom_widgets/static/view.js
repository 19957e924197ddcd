// What all views have in common; it stands before the script of each. Names and texts are other people's: they are
// only ever set as text.

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function button(className, text, does) {
  const made = make("button", `partyroom-button ${className}`, text);
  made.type = "button";
  made.addEventListener("click", does);
  return made;
}

function painted(element, color) {
  element.style.setProperty("--partyroom-who", /^#[0-9a-f]{6}$/i.test(color) ? color : "#6b7280");
  return element;
}

// A frame with the view's label, how it stands, and a body. While all is well it says nothing about that.
function frame({ model, el }, kind) {
  el.classList.add("partyroom-view", `partyroom-${kind}`);
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // Lab's own keys: Enter, arrows and letters mean something else in here
  const head = make("div", "partyroom-head");
  const label = make("span", "partyroom-label");
  const tools = make("span", "partyroom-tools");
  const state = make("span", "partyroom-standing");
  state.setAttribute("role", "status");
  head.append(label, tools, state);
  const body = make("div", "partyroom-body");
  const dead = make("div", "partyroom-dead", "Not live. Run this cell to join the room.");
  el.replaceChildren(head, body, dead);
  const unwatch = watchKernel(model, el);

  const stand = () => {
    label.textContent = model.get("label");
    el.setAttribute("aria-label", `${model.get("label")}, shared in ${model.get("room")}`);
    el.dataset.status = model.get("status");
    const notice = model.get("status") === "synced" && !model.get("read_only") ? "" : model.get("notice");
    if (state.textContent !== notice) state.textContent = notice;
  };
  let calming;
  const refused = (message) => {
    if (message.type !== "refused") return;
    state.textContent = message.why;
    clearTimeout(calming);
    calming = setTimeout(stand, 6000);
  };
  const names = ["label", "status", "notice", "read_only"];
  for (const name of names) model.on(`change:${name}`, stand);
  model.on("msg:custom", refused);
  stand();
  const end = () => {
    unwatch();
    clearTimeout(calming);
    for (const name of names) model.off(`change:${name}`, stand);
    model.off("msg:custom", refused);
  };
  return { head, label, tools, state, body, end };
}

// Calls `show` now and whenever one of the names changes; the answer stops that.
function follow(model, names, show) {
  for (const name of names) model.on(`change:${name}`, show);
  show();
  return () => {
    for (const name of names) model.off(`change:${name}`, show);
  };
}

// Keeps this page's copy of a list in step with the kernel's: one for all the views of a widget.
function keepInStep({ model }) {
  const heard = (message) => {
    if (message.type === "all") model.set("items", message.items);
    if (message.type !== "splice") return;
    const items = [...model.get("items")];
    items.splice(message.index, message.deleted, ...message.inserted);
    if (items.length === message.length) model.set("items", items);
    else model.send({ type: "all" });
  };
  model.on("msg:custom", heard);
  return () => model.off("msg:custom", heard);
}
