// Words beside a shared widget: who is moving it, who drives, what is wrong. Names are only ever set as text.

function render({ model, el }) {
  el.classList.add("partyroom-tag");
  const words = document.createElement("span");
  words.setAttribute("role", "status");
  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => model.send({ pressed: true }));

  function show() {
    words.textContent = model.get("text");
    button.textContent = model.get("button");
    button.hidden = !model.get("button");
    el.classList.toggle("partyroom-trouble", model.get("trouble"));
    if (model.get("color")) el.style.setProperty("--partyroom-who", model.get("color"));
    else el.style.removeProperty("--partyroom-who");
  }

  model.on("change", show);
  show();
  el.append(words, button);
  const unwatch = watchKernel(model, el);
  return () => {
    unwatch();
    model.off("change", show);
  };
}

export default { render };
