// What all views have in common; it stands before the script of each.

// How a view stands, in words: nothing while all is well.
function howItStands(model) {
  return model.get("status") === "synced" && !model.get("read_only") ? "" : model.get("notice");
}

// A frame with the view's label, how it stands (in the words of `says`), and a body. `told` hears when its kernel goes.
function frame({ model, el }, kind, { says = howItStands, told } = {}) {
  el.classList.add("partyroom-panel", "partyroom-view", `partyroom-${kind}`);
  el.setAttribute("role", "group");
  keepKeys(el);
  const head = make("div", "partyroom-head");
  const label = make("span", "partyroom-label");
  const tools = make("span", "partyroom-tools");
  const state = make("span", "partyroom-standing");
  state.setAttribute("role", "status");
  head.append(label, tools, state);
  const body = make("div", "partyroom-body");
  const dead = make("div", "partyroom-dead", "Not live. Run this cell to join the room.");
  el.replaceChildren(head, body, dead);
  const unwatch = watchKernel(model, el, told);

  const stand = () => {
    label.textContent = model.get("label");
    el.setAttribute("aria-label", `${model.get("label")}, shared in ${model.get("room")}`);
    el.dataset.status = model.get("status");
    const words = says(model);
    if (state.textContent !== words) state.textContent = words;
    state.title = model.get("why") ?? "";
  };
  let calming;
  const refused = (message) => {
    if (message.type !== "refused") return;
    state.textContent = message.why;
    clearTimeout(calming);
    calming = setTimeout(stand, 6000);
  };
  const names = ["label", "status", "notice", "why", "read_only"];
  for (const name of names) model.on(`change:${name}`, stand);
  model.on("msg:custom", refused);
  stand();
  const end = () => {
    unwatch();
    clearTimeout(calming);
    for (const name of names) model.off(`change:${name}`, stand);
    model.off("msg:custom", refused);
  };
  return { tools, body, dead, stand, end, alive: () => !el.classList.contains(DEAD) };
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
