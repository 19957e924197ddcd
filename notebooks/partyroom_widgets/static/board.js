// A shared drawing in SVG. With the keyboard: arrows move the pen, Space puts it down and lifts it.

const SVG = "http://www.w3.org/2000/svg";
// What people are painted in (people.py): each begins with their own.
const COLORS = [
  "#d6336c", "#c2410c", "#a16207", "#15803d", "#0f766e", "#0369a1", "#4f46e5", "#7c3aed", "#a21caf",
];
const NAMES = ["Pink", "Orange", "Ochre", "Green", "Teal", "Blue", "Indigo", "Violet", "Magenta"];
const WIDTHS = [4, 10, 24];
const OFTEN = 60; // ms between two looks at a stroke that is being drawn
const STEP = 20;

function svg(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// A smooth line: through the middles between its points.
function path(points) {
  const [x, y] = points;
  if (points.length === 2) return `M${x} ${y}h.01`;
  let said = `M${x} ${y}`;
  for (let at = 2; at < points.length - 2; at += 2) {
    const [a, b, c, d] = points.slice(at, at + 4);
    said += `Q${a} ${b} ${(a + c) / 2} ${(b + d) / 2}`;
  }
  return `${said}L${points.at(-2)} ${points.at(-1)}`;
}

function drawn({ points, color, width }) {
  return svg("path", { d: points ? path(points) : "", stroke: color ?? "none", "stroke-width": width ?? 0 });
}

function choice(group, text, chosen, choose, paint) {
  const one = button("partyroom-choice", "", () => choose());
  one.setAttribute("aria-label", text);
  one.title = text;
  one.setAttribute("aria-pressed", chosen);
  paint(one);
  group.append(one);
  return one;
}

function render(context) {
  const { model } = context;
  const { tools, body, end } = frame(context, "board");
  const [wide, high] = model.get("size");
  const sheet = svg("svg", { viewBox: `0 0 ${wide} ${high}`, class: "partyroom-sheet", tabindex: 0, role: "application" });
  sheet.setAttribute("aria-label", "Drawing. Arrows move the pen, Space puts it down and lifts it.");
  const [done, others, mine] = [svg("g"), svg("g"), svg("g")];
  const pen = svg("circle", { class: "partyroom-pen", r: 9, cx: wide / 2, cy: high / 2 });
  sheet.append(done, others, mine, pen);
  const told = make("span", "partyroom-unseen");
  told.setAttribute("role", "status");
  body.append(sheet, told);

  let color = COLORS.includes(model.get("me").color) ? model.get("me").color : COLORS[5];
  let width = WIDTHS[0];
  const colors = make("span", "partyroom-choices");
  const widths = make("span", "partyroom-choices");
  const press = (group, at) =>
    [...group.children].forEach((one, place) => one.setAttribute("aria-pressed", String(place === at)));
  COLORS.forEach((one, at) =>
    choice(colors, NAMES[at], one === color, () => (press(colors, at), (color = one)), (made) => painted(made, one)),
  );
  WIDTHS.forEach((one, at) =>
    choice(widths, ["Thin", "Medium", "Thick"][at], one === width, () => (press(widths, at), (width = one)), (made) => {
      made.classList.add("partyroom-width");
      made.style.setProperty("--partyroom-size", `${4 + 4 * at}px`);
    }),
  );
  const clear = button("", "Clear", () => {
    if (clear.dataset.sure) model.send({ type: "clear" });
    clear.dataset.sure = clear.dataset.sure ? "" : "yes";
    clear.textContent = clear.dataset.sure ? "Really?" : "Clear";
  });
  clear.addEventListener("blur", () => {
    clear.dataset.sure = "";
    clear.textContent = "Clear";
  });
  const undo = button("", "Undo", () => model.send({ type: "undo" }));
  tools.append(colors, widths, undo, clear);

  let points = null;
  let sent = 0;
  const mayDraw = () => !model.get("read_only") && model.get("status") !== "closed";
  const begin = (x, y) => (points = [Math.round(x), Math.round(y)]);
  const go = (x, y) => {
    const [before, above] = points.slice(-2);
    if (Math.hypot(x - before, y - above) < 3) return;
    points.push(Math.round(x), Math.round(y));
    look();
  };
  const look = () => {
    mine.replaceChildren(drawn({ points, color, width }));
    if (Date.now() - sent < OFTEN) return;
    sent = Date.now();
    model.send({ type: "draft", points, color, width });
  };
  const finish = () => {
    if (!points) return;
    model.send({ type: "stroke", points, color, width });
    points = null;
  };
  const place = (event) => {
    const box = sheet.getBoundingClientRect();
    return [((event.clientX - box.left) * wide) / box.width, ((event.clientY - box.top) * high) / box.height];
  };
  sheet.addEventListener("pointerdown", (event) => {
    if (event.button || !mayDraw()) return;
    sheet.setPointerCapture(event.pointerId);
    begin(...place(event));
    look();
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!points || !sheet.hasPointerCapture(event.pointerId)) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) go(...place(one));
  });
  sheet.addEventListener("pointerup", finish);
  sheet.addEventListener("pointercancel", finish);
  sheet.addEventListener("blur", finish);
  sheet.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) model.send({ type: "undo" });
    else if (event.key === " " && mayDraw()) {
      if (points) finish();
      else begin(Number(pen.getAttribute("cx")), Number(pen.getAttribute("cy"))), look();
      told.textContent = points ? "Pen down" : "Pen up";
    } else if (to) {
      const x = Math.min(wide, Math.max(0, Number(pen.getAttribute("cx")) + to[0]));
      const y = Math.min(high, Math.max(0, Number(pen.getAttribute("cy")) + to[1]));
      pen.setAttribute("cx", x);
      pen.setAttribute("cy", y);
      if (points) go(x, y);
    } else return;
    event.preventDefault();
  });

  let shown = [];
  const show = () => {
    const items = model.get("items");
    if (shown.length <= items.length && shown.every((one, at) => one === items[at])) {
      done.append(...items.slice(shown.length).map(drawn));
    } else done.replaceChildren(...items.map(drawn));
    shown = items;
    if (!points) mine.replaceChildren();
    undo.disabled = !mayDraw() || !items.some((one) => one.by === model.get("me").id);
    clear.disabled = !mayDraw() || !items.length;
  };
  const draft = () => {
    const made = model.get("drafts").flatMap((one) => {
      const flag = svg("text", { x: one.points.at(-2) + 14, y: one.points.at(-1) - 12, fill: one.who });
      flag.textContent = one.name;
      return [drawn(one), flag];
    });
    others.replaceChildren(...made);
  };
  const stops = [end, follow(model, ["items", "read_only", "status"], show), follow(model, ["drafts"], draft)];
  return () => stops.forEach((stop) => stop());
}

export default { initialize: keepInStep, render };
