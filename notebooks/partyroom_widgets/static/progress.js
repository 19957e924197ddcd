// The loops of everybody in the room.

const SAID = { running: "", done: "done", failed: "stopped", lost: "nobody tells any more" };

function loop({ text, by, color, at, total, seconds, how }) {
  const row = painted(make("div", `partyroom-loop partyroom-${how}`), color);
  const words = make("div", "partyroom-what");
  const count = total ? `${at} of ${total}` : `${at}`;
  const end = [count, SAID[how], seconds === null ? "" : `${seconds} s`].filter(Boolean).join(" · ");
  words.append(make("span", "partyroom-text-of", text), make("span", "partyroom-by", by), make("span", "partyroom-count", end));
  const bar = make("progress", "partyroom-meter");
  bar.setAttribute("aria-label", `${text}, ${by}`);
  if (total) Object.assign(bar, { max: total, value: Math.min(at, total) });
  else if (how !== "running") Object.assign(bar, { max: 1, value: 1 });
  row.append(words, bar);
  return row;
}

function render(context) {
  const { model } = context;
  const { body, end } = frame(context, "progress");
  const stops = [
    end,
    follow(model, ["loops"], () => {
      const loops = model.get("loops").map(loop);
      body.replaceChildren(...(loops.length ? loops : [make("p", "partyroom-empty", "Nothing runs.")]));
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
