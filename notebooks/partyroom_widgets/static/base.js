// What all of ours have in common; it stands before the script of each. Names and texts are other people's: they are
// only ever set as text.

const DEAD = "jupyter-widgets-disconnected"; // the class that ipywidgets has for views without a kernel

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

// Enter, arrows and letters mean something else in here than in Lab, which has shortcuts, and whose notebook takes the
// focus back at any key that comes to it.
function keepKeys(el) {
  el.dataset.lmSuppressShortcuts = "true";
  el.addEventListener("keydown", (event) => event.stopPropagation());
}

// Keeps that class, as anywidget takes away the listener that would, and has nothing without a kernel be pressed. The
// model of the layout has the same kernel. The answer stops it.
function watchKernel(model, el, told = () => {}) {
  const layout = model.get("layout");
  const look = () => {
    const gone = layout?.comm_live === false;
    el.classList.toggle(DEAD, gone);
    for (const one of el.querySelectorAll("button, input, .partyroom-sheet")) one.inert = gone;
    told();
  };
  layout?.on?.("comm_live_update", look);
  queueMicrotask(look); // when all of the view is there
  return () => layout?.off?.("comm_live_update", look);
}
