// Words beside a shared widget: who is moving it, who drives, what is wrong.

function render({ model, el }) {
  el.classList.add("partyroom-tag");
  keepKeys(el);
  const words = make("span");
  words.setAttribute("role", "status");
  const press = button("", "", () => model.send({ pressed: true }));

  function show() {
    words.textContent = model.get("text");
    press.textContent = model.get("button");
    press.hidden = !model.get("button");
    el.classList.toggle("partyroom-trouble", model.get("trouble"));
    if (model.get("color")) painted(el, model.get("color"));
    else el.style.removeProperty("--partyroom-who");
  }

  model.on("change", show);
  show();
  el.append(words, press, make("span", "partyroom-dead", "Not live. Run this cell to join in."));
  const unwatch = watchKernel(model, el);
  return () => {
    unwatch();
    model.off("change", show);
  };
}

export default { render };
