// Everybody's mouse pointer over the widgets that this one stands among, or over the output of its cell. It is for the
// eye only: what is done in the room is told elsewhere.

const OFTEN = 50; // ms between two places
const AREAS = ".partyroom-pointed, .jp-OutputArea, .output_area, .cell-output";

function pointer({ id, name, color }) {
  const made = painted(make("div", "partyroom-pointer"), color);
  made.dataset.id = id;
  made.append(make("span", "partyroom-arrow"), make("span", "partyroom-pointer-name", name));
  return made;
}

function render({ model, el }) {
  el.classList.add("partyroom-cursor");
  el.setAttribute("aria-hidden", "true");
  const unwatch = watchKernel(model, el);
  let area;

  const show = () => {
    const there = new Map([...el.children].map((one) => [one.dataset.id, one]));
    const shown = model.get("pointers").map((one) => {
      const known = there.get(one.id);
      const same = known?.lastChild.textContent === one.name;
      const made = same ? painted(known, one.color) : pointer(one);
      made.style.left = `${100 * one.x}%`;
      made.style.top = `${100 * one.y}%`;
      made.classList.toggle("partyroom-right", one.x > 0.8);
      return made;
    });
    const kept = new Set(shown);
    for (const one of there.values()) if (!kept.has(one)) one.remove();
    el.append(...shown.filter((one) => one.parentElement !== el));
  };

  let last = null;
  let waiting = 0;
  const tell = () => {
    waiting = 0;
    if (model.get("status") !== "closed") model.send({ type: "pointer", ...last });
  };
  const say = (place) => {
    last = place;
    waiting ||= setTimeout(tell, OFTEN);
  };
  const moved = (event) => {
    if (event.pointerType === "touch") return; // which points at nothing between two touches
    const box = area.getBoundingClientRect();
    if (box.width && box.height) {
      say({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
    }
  };
  const left = () => say(null);

  // A view is put into the page after it is made.
  const settle = () => {
    area = el.parentElement?.closest(AREAS) ?? el.parentElement;
    if (!area) return;
    area.classList.add("partyroom-area");
    area.addEventListener("pointermove", moved);
    area.addEventListener("pointerleave", left);
  };
  const settling = requestAnimationFrame(settle);
  const stop = follow(model, ["pointers"], show);

  return () => {
    cancelAnimationFrame(settling);
    clearTimeout(waiting);
    area?.removeEventListener("pointermove", moved);
    area?.removeEventListener("pointerleave", left);
    if (last) model.send({ type: "pointer" });
    unwatch();
    stop();
  };
}

export default { render };
