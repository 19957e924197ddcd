// A poll: a group of radio buttons with bars behind them.

function share(count, total) {
  return total ? Math.round((100 * count) / total) : 0;
}

function render(context) {
  const { model } = context;
  const { tools, body, end } = frame(context, "poll");
  const name = `partyroom-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
  const list = make("div", "partyroom-options");
  list.setAttribute("role", "radiogroup");
  const total = make("span", "partyroom-total");
  total.setAttribute("aria-live", "polite");
  const back = button("", "Take back", () => model.send({ type: "vote", option: null }));
  tools.append(back);
  body.append(list, total);
  let rows = [];

  const build = () => {
    rows = model.get("options").map((option) => {
      const row = make("label", "partyroom-option");
      const radio = make("input");
      Object.assign(radio, { type: "radio", name });
      radio.addEventListener("change", () => model.send({ type: "vote", option }));
      const bar = make("span", "partyroom-bar");
      const count = make("span", "partyroom-count");
      row.append(bar, radio, make("span", "partyroom-answer", option), count);
      return { option, row, radio, bar, count };
    });
    list.replaceChildren(...rows.map(({ row }) => row));
  };
  const show = () => {
    const options = model.get("options");
    if (options.length !== rows.length || rows.some(({ option }, at) => option !== options[at])) build();
    const counts = model.get("counts");
    const all = counts.reduce((sum, count) => sum + count, 0);
    const most = Math.max(1, ...counts);
    rows.forEach(({ option, row, radio, bar, count }, at) => {
      const mine = option === model.get("mine");
      radio.checked = mine;
      radio.disabled = model.get("read_only") || model.get("status") === "closed";
      row.classList.toggle("partyroom-chosen", mine);
      row.classList.toggle("partyroom-first", counts[at] === most);
      bar.style.width = `${share(counts[at], all)}%`;
      count.textContent = `${share(counts[at], all)}% · ${counts[at]}`;
    });
    total.textContent = all === 1 ? "One vote" : `${all || "No"} votes`;
    back.hidden = model.get("mine") === null || model.get("read_only");
    list.setAttribute("aria-label", model.get("label"));
  };
  const stops = [end, follow(model, ["options", "counts", "mine", "read_only", "status"], show)];
  return () => stops.forEach((stop) => stop());
}

export default { render };
