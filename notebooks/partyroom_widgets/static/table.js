// A shared table: a grid in which arrows move, Enter or typing edits, Escape gives up, Delete empties.

const PAGE = 100; // rows shown at once

function said(value) {
  return value === null || value === undefined ? "" : String(value);
}

function render(context) {
  const { model } = context;
  const { tools, body, end, alive } = frame(context, "table");
  const scroll = make("div", "partyroom-scroll");
  const grid = make("table", "partyroom-grid");
  grid.setAttribute("role", "grid");
  const head = make("thead");
  const rows = make("tbody");
  grid.append(head, rows);
  scroll.append(grid);
  body.append(scroll);
  const range = make("span", "partyroom-range");
  const turn = (by) => {
    page += by;
    build();
  };
  const back = button("", "Previous", () => turn(-1));
  const on = button("", "Next", () => turn(1));
  tools.append(range, back, on);

  let page = 0;
  let place = null; // the cell that we are in
  let editing = null;

  const cellAt = (row, column) => rows.rows[row - page * PAGE]?.cells[column + 1];
  const mayEdit = () => alive() && !model.get("read_only") && model.get("status") !== "closed";

  const fill = (cell, value, kind) => {
    cell.textContent = said(value);
    cell.classList.toggle("partyroom-none", value === null);
    cell.classList.toggle("partyroom-number", kind === "integer" || kind === "number");
  };
  const build = () => {
    editing = null;
    const columns = model.get("columns");
    const all = model.get("rows");
    const pages = Math.max(1, Math.ceil(all.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const names = make("tr");
    names.append(make("td"), ...columns.map(({ name, kind }) => {
      const one = make("th", kind === "integer" || kind === "number" ? "partyroom-number" : "", name);
      one.scope = "col";
      return one;
    }));
    head.replaceChildren(names);
    const first = page * PAGE;
    rows.replaceChildren(...all.slice(first, first + PAGE).map((values, at) => {
      const line = make("tr");
      const name = make("th", "", model.get("index")[first + at]);
      name.scope = "row";
      line.append(name, ...columns.map(({ kind }, column) => {
        const cell = make("td");
        cell.tabIndex = -1;
        cell.dataset.row = first + at;
        cell.dataset.column = column;
        fill(cell, values[column], kind);
        return cell;
      }));
      return line;
    }));
    const start = place && cellAt(...place) ? cellAt(...place) : rows.rows[0]?.cells[1];
    if (start) start.tabIndex = 0;
    grid.setAttribute("aria-label", model.get("label"));
    range.textContent = pages > 1 ? `${first + 1}–${Math.min(first + PAGE, all.length)} of ${all.length}` : "";
    back.hidden = on.hidden = pages === 1;
    back.disabled = page === 0;
    on.disabled = page === pages - 1;
    mark();
  };

  const mark = () => {
    for (const one of grid.querySelectorAll(".partyroom-there")) {
      one.classList.remove("partyroom-there");
      one.removeAttribute("data-name");
    }
    for (const { row, column, name, color } of model.get("places")) {
      const cell = cellAt(row, column);
      if (!cell || column < 0) continue;
      painted(cell, color).classList.add("partyroom-there");
      cell.dataset.name = name; // shown by the style sheet, so it is never part of the cell's text
    }
  };
  const go = (row, column) => {
    if (row >= 0 && row < model.get("rows").length && Math.floor(row / PAGE) !== page) {
      page = Math.floor(row / PAGE);
      build();
    }
    cellAt(row, column)?.focus();
  };
  const finish = (keep) => {
    if (!editing) return;
    const { cell, field, before } = editing;
    const [row, column] = [Number(cell.dataset.row), Number(cell.dataset.column)];
    editing = null;
    fill(cell, model.get("rows")[row][column], model.get("columns")[column].kind);
    if (keep && field.value !== before) model.send({ type: "edit", row, column, value: field.value });
  };
  const edit = (cell, text) => {
    if (!mayEdit()) return;
    finish(true);
    const before = cell.textContent;
    const field = make("input", "partyroom-field");
    Object.assign(field, { type: "text", value: text ?? before });
    field.setAttribute("aria-label", `${model.get("columns")[cell.dataset.column].name}, ${cell.parentNode.cells[0].textContent}`);
    editing = { cell, field, before };
    cell.replaceChildren(field);
    field.focus();
    if (text === undefined) field.select();
    field.addEventListener("blur", () => finish(true));
  };

  grid.addEventListener("focusin", ({ target }) => {
    const cell = target.closest("td[data-row]");
    if (!cell) return;
    const there = [Number(cell.dataset.row), Number(cell.dataset.column)];
    if (place && there.join() === place.join()) return;
    const old = place && cellAt(...place);
    if (old) old.tabIndex = -1;
    cell.tabIndex = 0;
    place = there;
    model.send({ type: "place", row: place[0], column: place[1] });
  });
  grid.addEventListener("focusout", ({ relatedTarget }) => {
    if (grid.contains(relatedTarget) || editing) return;
    place = null;
    model.send({ type: "place" });
  });
  grid.addEventListener("dblclick", ({ target }) => {
    const cell = target.closest("td[data-row]");
    if (cell && !editing) edit(cell);
  });
  grid.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td[data-row]");
    if (!cell) return;
    const [row, column] = [Number(cell.dataset.row), Number(cell.dataset.column)];
    const { key } = event;
    if (editing) {
      if (key === "Enter" || key === "Escape") {
        finish(key === "Enter");
        go(key === "Enter" ? row + 1 : row, column);
        if (!grid.contains(document.activeElement)) cell.focus();
      } else return;
    } else {
      const to = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
      if (to) go(row + to[0], Math.max(0, column + to[1]));
      else if (key === "Enter" || key === "F2") edit(cell);
      else if (key === "Delete" || key === "Backspace") {
        if (mayEdit()) model.send({ type: "edit", row, column, value: "" });
      } else if (key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) edit(cell, key);
      else return;
    }
    event.preventDefault();
  });

  const heard = (message) => {
    if (message.type !== "cell") return;
    const cell = cellAt(message.row, message.column);
    if (!cell || editing?.cell === cell) return;
    fill(cell, message.value, model.get("columns")[message.column].kind);
    cell.classList.remove("partyroom-fresh");
    void cell.offsetWidth; // begins its animation anew
    cell.classList.add("partyroom-fresh");
  };
  grid.addEventListener("animationend", ({ target }) => target.classList.remove("partyroom-fresh"));
  model.on("msg:custom", heard);
  const stops = [
    end,
    () => model.off("msg:custom", heard),
    follow(model, ["columns", "index", "rows"], build),
    follow(model, ["places"], mark),
  ];
  return () => stops.forEach((stop) => stop());
}

// Keeps this page's copy of the rows in step with the kernel's, without building the table anew.
function initialize({ model }) {
  const heard = (message) => {
    if (message.type === "cell" && model.get("rows")[message.row]) {
      model.get("rows")[message.row][message.column] = message.value;
    }
  };
  model.on("msg:custom", heard);
  return () => model.off("msg:custom", heard);
}

export default { initialize, render };
